"""A few clips of each action, as they lie in a folder: which can be learned from, and which not and why."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_modules.annotations.class_folders import rows_of_folders
from data_modules.annotations.class_names import as_read, names_of
from data_modules.errors import BrokenVideoError, InputError
from data_modules.files.json_files import write_json
from data_modules.files.regular_files import is_folder
from data_modules.video.decoding import VideoReader
from prompt_video.inference.calibrating import NONE

FEW = 3  # examples of a class; with fewer, little can be said of it
ENOUGH = 5


@dataclass(frozen=True)
class Examples:
    """What is learned from.

    Args:
        root: the folder.
        clips: class by clip, in the order of the paths.
        left_out: clips that are not learned from, each with the reason, a part of a sentence.
        others: clips that show none of the classes, in a folder called ``none``.
        names: of the clips, for people; where there is none, the path.

    Raises:
        InputError: when fewer than two classes have clips.
    """

    root: Path
    clips: Mapping[Path, str]
    left_out: Mapping[Path, str]
    others: Sequence[Path] = ()
    names: Mapping[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.counts) < 2:
            only = f"there is one action only, '{next(iter(self.counts))}'" if self.clips else "no clip can be used"
            raise InputError(
                f"{only}, and two are needed to tell apart: add clips of another one, or of anything else. "
                f"{' '.join(self._told_left_out()[:3])}".rstrip()
            )

    @property
    def counts(self) -> Counter[str]:
        """How many clips there are of each class."""
        return Counter(self.clips.values())

    def told(self) -> list[str]:
        """A sentence of each clip that is left out, and of each class with too few."""
        return [*self._told_left_out(), *(_told_few(*one) for one in self.counts.items() if one[1] < FEW)]

    def _told_left_out(self) -> list[str]:
        return [f"{self.names.get(path, path)} is left out: {reason}." for path, reason in self.left_out.items()]

    def without(self, left_out: Mapping[str, str]) -> "Examples":
        """Less some clips, by their names below the folder, each with the reason."""
        more = {self.root / name: f"it cannot be used: {reason}" for name, reason in left_out.items()}
        clips = {path: name for path, name in self.clips.items() if path not in more}
        return replace(self, clips=clips, left_out={**self.left_out, **more})

    def write(self, file: Path) -> None:
        """As the file that the data set of folders reads: labels by path."""
        write_json(file, {path.relative_to(self.root).as_posix(): name for path, name in self.clips.items()})


def read_examples(root: Path) -> Examples:
    """The clips in the class folders of a folder; see `examples_of`.

    Args:
        root: of ``root/<class>/<clip>``.

    Raises:
        InputError: when there is no such folder, a class folder is empty, or fewer than two classes have clips.
    """
    if not is_folder(root):
        raise InputError(f"there is no folder {root}; put a few clips of each action into {root}/<action>/.")
    rows = rows_of_folders(root)
    labels = sorted({row.label for row in rows})
    names = dict(zip(labels, names_of(labels, {}, str(root)), strict=True))
    return examples_of(root, {row.path: names[row.label] for row in rows})


def examples_of(root: Path, clips: Mapping[Path, str], names: Mapping[Path, str] | None = None) -> Examples:
    """Clips as examples; those of a class called ``none`` show none of the others.

    Clips of one content in two classes are left out, since nobody knows which is right; so is what cannot be decoded,
    and a second copy in its own class.

    Args:
        root: a folder that all of them are below.
        clips: class by clip.
        names: of the clips, for people.

    Raises:
        InputError: when fewer than two classes have clips.
    """
    names = names or {}
    left_out = {**_copies(clips, names), **_broken(clips)}
    kept = {path: name for path, name in clips.items() if path not in left_out}
    others = [path for path, name in kept.items() if as_read(name) in NONE]
    return Examples(root, {path: name for path, name in kept.items() if path not in others}, left_out, others, names)


def _told_few(name: str, count: int) -> str:
    how_many = "one example, so that none can be held out to see how well it is known" if count == 1 else "two examples"
    return f"'{name}' has {how_many}: add clips of it, to {ENOUGH} or more."


def _copies(clips: Mapping[Path, str], names: Mapping[Path, str]) -> dict[Path, str]:
    """Clips of the same content as others, by their bytes."""
    left_out: dict[Path, str] = {}
    for same in _alike(clips):
        if len({clips[path] for path in same}) > 1:
            for path in same:
                other = next(one for one in same if clips[one] != clips[path])
                left_out[path] = f"{names.get(other, other)} is the same clip in another class; remove the wrong one"
        else:
            left_out |= {path: f"{names.get(same[0], same[0])} is the same clip" for path in same[1:]}
    return left_out


def _alike(paths: Iterable[Path]) -> list[Sequence[Path]]:
    """Files of the same bytes, in groups of two or more."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        if path.is_file():
            by_size[path.stat().st_size].append(path)
    by_content: dict[str, list[Path]] = defaultdict(list)
    for of_size in by_size.values():
        for path in of_size if len(of_size) > 1 else ():
            with path.open("rb") as file:
                by_content[hashlib.file_digest(file, "sha256").hexdigest()].append(path)
    return [sorted(same) for same in by_content.values() if len(same) > 1]


def _broken(clips: Iterable[Path]) -> dict[Path, str]:
    """What has no frame that can be decoded; damage further on is found when features are computed."""
    reasons = {}
    for path in clips:
        try:
            with VideoReader(path) as reader:
                reader.decode([reader.timeline.start_sec])
        except BrokenVideoError as error:
            reasons[path] = f"it cannot be used: {error.reason}"
    return reasons
