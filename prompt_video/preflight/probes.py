"""A look at every video: whether its file is there, and whether its first, middle and last frame can be decoded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch.utils.data import DataLoader, Dataset

from data_modules.batch import Record
from data_modules.errors import BrokenVideoError
from data_modules.files.regular_files import why_not_a_file
from data_modules.video.decoding import VideoReader
from prompt_video.preflight.check_results import Finding, Verdict, count

FEW = 32  # videos that are looked at sooner than processes are started


@dataclass(frozen=True)
class Look:
    """What a video looks like.

    Args:
        path: the file.
        file: device and number of the file: two paths with the same one, by a link, are one video.
        problem: what keeps it from being used.
        reason: why it is broken, or what is there in its place.
        duration_sec: 0 where it was not decoded.
        num_frames: 0 where it was not decoded.
    """

    path: Path
    file: tuple[int, int] | None = None
    problem: Literal["missing", "broken"] | None = None
    reason: str = ""
    duration_sec: float = 0.0
    num_frames: int = 0


def look(path: Path, *, decode: bool = True) -> Look:
    """Look at one video."""
    if reason := why_not_a_file(path):
        return Look(path, None, "missing", reason)
    status = path.stat()
    file = (status.st_dev, status.st_ino)
    if not decode:
        return Look(path, file)
    try:
        with VideoReader(path) as reader:
            duration_sec = reader.timeline.duration_sec
            reader.decode([0.0, duration_sec / 2, duration_sec])
            return Look(path, file, None, "", duration_sec, reader.timeline.num_frames)
    except BrokenVideoError as error:
        return Look(path, file, "broken", error.reason)
    except Exception as error:  # training would end with it; here the other videos are to be looked at too
        return Look(path, file, "broken", f"{type(error).__name__}: {error}".splitlines()[0])


def look_at(paths: Sequence[Path], workers: int) -> Iterator[Look]:
    """Decode frames of many videos, in several processes; results come in the given order."""
    workers = workers if len(paths) > FEW else 0
    yield from DataLoader(_Looks(paths), batch_size=1, num_workers=workers, collate_fn=_only)


class _Looks(Dataset[Look]):
    """Looks as it is iterated: a loader's workers are a pool that every platform here starts safely and fast."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Look:
        return look(self.paths[index])


def _only(looks: list[Look]) -> Look:
    (look,) = looks
    return look


def some_of_each_class(parts: Iterable[Sequence[Record]], number: int) -> list[Path]:
    """Files of so many videos of each class of each part, spread evenly over the class; those without any are one."""
    chosen: dict[Path, None] = {}
    for records in parts:
        by_class: dict[int, list[Path]] = {}
        for record in records:
            for target in record.targets or (-1,):
                by_class.setdefault(target, []).append(record.path)
        for paths in by_class.values():
            places = {(2 * place + 1) * len(paths) // (2 * number) for place in range(number)}
            chosen.update(dict.fromkeys(paths[place] for place in sorted(places)))
    return list(chosen)


def check_missing(
    parts: Mapping[str, Sequence[Record]], looks: Mapping[Path, Look], stored: set[Path], allowed: float
) -> Finding:
    """Whether all files are there.

    Args:
        parts: the videos of each part.
        looks: at each of them.
        stored: files whose frame features are in the store already: they are needed no more.
        allowed: share of a part that a run may lose.
    """
    missing = {path: look for path, look in looks.items() if look.problem == "missing"}
    if not missing:
        return Finding("video files", "ok", f"all {count(len(looks), 'file')} are there")
    needed = {path: look for path, look in missing.items() if path not in stored}
    if not needed:
        found = f"{count(len(missing), 'file')} missing, but their features are stored"
        return Finding("video files", "note", found, [str(path) for path in missing])
    found = f"missing: {_shares(parts, needed)}"
    examples = [f"{path}: {look.reason}" for path, look in needed.items()]
    return Finding("video files", _verdict(parts, looks, stored, allowed), found, examples)


def check_broken(
    parts: Mapping[str, Sequence[Record]], looks: Mapping[Path, Look], stored: set[Path], decoded: int, allowed: float
) -> Finding:
    """Whether all files that were decoded could be; arguments as for `check_missing`.

    Args:
        parts: the videos of each part.
        looks: at each of them.
        stored: files whose frame features are in the store already.
        decoded: how many files were opened.
        allowed: share of a part that a run may lose.
    """
    broken = {path: look for path, look in looks.items() if look.problem == "broken"}
    if not decoded:
        return Finding("broken videos", "note", "not checked: no video was decoded")
    if not broken:
        return Finding(
            "broken videos", "ok", f"none of {count(decoded, 'video')}: first, middle and last frame decoded"
        )
    there = sum(look.problem != "missing" for look in looks.values())
    of = "" if decoded == there else f"; {decoded:,} of {count(there, 'video')} were opened"
    found = f"cannot be decoded: {_shares(parts, broken)}{of}"
    ids = {record.path: record.video_id for records in parts.values() for record in records}
    examples = [f"{ids[path]}: {look.reason}" for path, look in broken.items()]
    return Finding("broken videos", _verdict(parts, looks, stored, allowed), found, examples)


def lost_share(records: Sequence[Record], looks: Mapping[Path, Look], stored: set[Path]) -> float:
    """Share of a part that a run would lose; what was not decoded counts as what was."""
    if not records:
        return 0.0
    found = [looks[record.path] for record in records if record.path not in stored]
    missing = sum(look.problem == "missing" for look in found)
    broken = sum(look.problem == "broken" for look in found)
    decoded = broken + sum(look.num_frames > 0 for look in found)
    return (missing + (broken / decoded * (len(found) - missing) if decoded else 0)) / len(records)


def _verdict(
    parts: Mapping[str, Sequence[Record]], looks: Mapping[Path, Look], stored: set[Path], allowed: float
) -> Verdict:
    too_many = any(lost_share(records, looks, stored) > allowed for records in parts.values())
    return "error" if too_many else "warning"


def _shares(parts: Mapping[str, Sequence[Record]], lost: Mapping[Path, Look]) -> str:
    """``3 of 40 train videos (7.5 %), 1 of 20 test videos (5.0 %)``."""
    said = []
    for name, records in parts.items():
        if number := sum(record.path in lost for record in records):
            said.append(f"{number:,} of {count(len(records), f'{name} video')} ({number / len(records):.1%})")
    return ", ".join(said)
