"""Probes of videos: whether each file is there, and whether its first, middle and last frame can be decoded."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from data_modules.batch import Record
from data_modules.errors import BrokenVideoError
from data_modules.files.regular_files import why_not_a_file
from data_modules.loading.processes import in_processes
from data_modules.video.decoding import VideoReader
from prompt_video.preflight.check_results import CheckResult, count

FEW = 32  # videos that are probed sooner than processes are started


@dataclass(frozen=True)
class Probe:
    """What opening a video showed.

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


def probe_video(path: Path, *, decode: bool = True) -> Probe:
    """Open one video.

    Args:
        path: the file.
        decode: its first, middle and last frame; else only whether it is there.
    """
    if reason := why_not_a_file(path):
        return Probe(path, None, "missing", reason)
    status = path.stat()
    file = (status.st_dev, status.st_ino)
    if not decode:
        return Probe(path, file)
    try:
        with VideoReader(path) as reader:
            duration_sec = reader.timeline.duration_sec
            reader.decode([0.0, duration_sec / 2, duration_sec])
            return Probe(path, file, None, "", duration_sec, reader.timeline.num_frames)
    except BrokenVideoError as error:
        return Probe(path, file, "broken", error.reason)
    except Exception as error:  # training would end with it; here the other videos are to be looked at too
        return Probe(path, file, "broken", f"{type(error).__name__}: {error}".splitlines()[0])


def probe_videos(paths: Sequence[Path], workers: int) -> Iterator[Probe]:
    """Decode frames of many videos, in several processes; probes come in the order of the paths."""
    return in_processes(probe_video, paths, workers if len(paths) > FEW else 0)


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
    parts: Mapping[str, Sequence[Record]], probes: Mapping[Path, Probe], stored: set[Path], allowed: float
) -> CheckResult:
    """Whether all files are there.

    Args:
        parts: the videos of each part.
        probes: of each of them.
        stored: files whose frame features are in the store already: they are needed no more.
        allowed: share of a part that a run may lose.
    """
    missing = {path: probe for path, probe in probes.items() if probe.problem == "missing"}
    if not missing:
        return CheckResult("video files", "ok", f"all {count(len(probes), 'file')} are there")
    needed = {path: probe for path, probe in missing.items() if path not in stored}
    if not needed:
        summary = f"{count(len(missing), 'file')} missing, but their features are stored"
        return CheckResult("video files", "note", summary, [str(path) for path in missing])
    summary = f"missing: {_shares(parts, needed)}"
    examples = [f"{path}: {probe.reason}" for path, probe in needed.items()]
    return _judged(CheckResult("video files", "warning", summary, examples), parts, probes, stored, allowed)


def check_broken(
    parts: Mapping[str, Sequence[Record]], probes: Mapping[Path, Probe], stored: set[Path], decoded: int, allowed: float
) -> CheckResult:
    """Whether all files that were decoded could be; arguments as for `check_missing`.

    Args:
        parts: the videos of each part.
        probes: of each of them.
        stored: files whose frame features are in the store already.
        decoded: how many files were opened.
        allowed: share of a part that a run may lose.
    """
    broken = {path: probe for path, probe in probes.items() if probe.problem == "broken"}
    if not decoded:
        return CheckResult("broken videos", "note", "not checked: no video was decoded")
    if not broken:
        return CheckResult(
            "broken videos", "ok", f"none of {count(decoded, 'video')}: first, middle and last frame decoded"
        )
    there = sum(probe.problem != "missing" for probe in probes.values())
    of = "" if decoded == there else f"; {decoded:,} of {count(there, 'video')} were opened"
    summary = f"cannot be decoded: {_shares(parts, broken)}{of}"
    ids = {record.path: record.video_id for records in parts.values() for record in records}
    examples = [f"{ids[path]}: {probe.reason}" for path, probe in broken.items()]
    return _judged(CheckResult("broken videos", "warning", summary, examples), parts, probes, stored, allowed)


def lost_share(records: Sequence[Record], probes: Mapping[Path, Probe], stored: set[Path]) -> float:
    """Share of a part that a run would lose; what was not decoded counts as what was."""
    if not records:
        return 0.0
    needed = [probes[record.path] for record in records if record.path not in stored]
    missing = sum(probe.problem == "missing" for probe in needed)
    broken = sum(probe.problem == "broken" for probe in needed)
    decoded = broken + sum(probe.num_frames > 0 for probe in needed)
    return (missing + (broken / decoded * (len(needed) - missing) if decoded else 0)) / len(records)


def _judged(
    result: CheckResult,
    parts: Mapping[str, Sequence[Record]],
    probes: Mapping[Path, Probe],
    stored: set[Path],
    allowed: float,
) -> CheckResult:
    """The same, as an error with a way out of it where a run would lose too much of a part."""
    lost = max((lost_share(records, probes, stored) for records in parts.values()), default=0.0)
    if lost <= allowed:
        return result
    summary = (
        f"{result.summary}, and a run may lose {allowed:.1%} of a part: fetch them once more, or do without them, with "
        f"--data.max_broken_fraction={math.ceil(100 * lost) / 100:g}"
    )
    return replace(result, verdict="error", summary=summary)


def _shares(parts: Mapping[str, Sequence[Record]], lost: Mapping[Path, Probe]) -> str:
    """``3 of 40 train videos (7.5 %), 1 of 20 test videos (5.0 %)``."""
    shares = []
    for name, records in parts.items():
        if number := sum(record.path in lost for record in records):
            shares.append(f"{number:,} of {count(len(records), f'{name} video')} ({number / len(records):.1%})")
    return ", ".join(shares)
