"""Where the videos are: one walk through a folder of any layout, then look-ups by name."""

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from data_modules.errors import InputError
from data_modules.files.listing import Listing
from data_modules.files.suffixes import VIDEO_SUFFIXES, stem_of
from data_modules.files.text_files import composed

__all__ = ["VIDEO_SUFFIXES", "FileIndex", "parse_clip", "stem_of"]

_CLIP = re.compile(r"([\w-]{11})(?:_(\d+)(?:\.0+)?_(\d+)(?:\.0+)?)?", re.ASCII)


class Clip(NamedTuple):
    """Part of a YouTube video, in seconds; without times where the name of its file says none."""

    youtube_id: str
    start: int | None = None
    end: int | None = None

    @property
    def name(self) -> str:
        """As the Kinetics downloads call it."""
        return self.youtube_id if self.start is None else f"{self.youtube_id}_{self.start:06d}_{self.end:06d}"


def parse_clip(stem: str) -> Clip | None:
    """What names such as ``<id>_000010_000020``, ``<id>_10_20`` and ``<id>`` say; None for others."""
    match = _CLIP.fullmatch(stem)
    if match is None:
        return None
    youtube_id, start, end = match.groups()
    return Clip(youtube_id, int(start), int(end)) if start else Clip(youtube_id)


class FileIndex:
    """The video files below a folder, as `Listing` finds them, by stem.

    Args:
        root: the folder.

    Raises:
        InputError: when there is no such folder, or one below it cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._paths: dict[str, list[str]] = {}
        listing = Listing(root)
        listing.say()
        for folder, name in listing.files:
            stem = os.path.splitext(name)[0]  # noqa: PTH122
            self._paths.setdefault(composed(stem), []).append(f"{folder}/{name}")

    def __len__(self) -> int:
        return sum(len(paths) for paths in self._paths.values())

    def find(self, stem: str, label: str = "") -> Path | None:
        """The file with this stem, whatever its suffix; None when there is none.

        Args:
            stem: name without folder and suffix.
            label: of several files the one in a folder of this name is taken; blanks and underscores are alike.

        Raises:
            InputError: when several files could be meant.
        """
        paths = self._paths.get(composed(stem), [])
        if len(paths) > 1:  # unless they are links to one file
            paths = list({os.path.realpath(path): path for path in reversed(paths)}.values())
        if len(paths) > 1:
            paths = [path for path in paths if _folder_is(path, label)] or paths
        if len(paths) > 1:
            raise InputError(_several(stem, sorted(paths)))
        return Path(paths[0]) if paths else None

    def find_clip(self, name: str, label: str = "") -> Path | None:
        """The file of the clip ``<id>_<start>_<end>``, whose name may write the times differently or leave them out."""
        if composed(name) in self._paths:
            return self.find(name, label)
        if not self._paths or (clip := parse_clip(name)) is None:
            return None
        stem = self._clips.get(clip) or self._clips.get(Clip(clip.youtube_id))
        return self.find(stem, label) if stem is not None else None

    def below(self, folder: str) -> Iterator[tuple[str, Path]]:
        """Folder name and path of every file in ``<root>/<folder>/<folder name>/``, in the order of the paths.

        Capitals of ``folder`` do not matter.
        """
        start = f"{self.root}/{folder}/"
        every = (path for paths in self._paths.values() for path in paths)
        paths = sorted(path for path in every if path[: len(start)].lower() == start.lower())
        for path in paths:
            if (parts := path[len(start) :].split("/"))[1:]:
                yield parts[0], Path(path)

    @cached_property
    def _clips(self) -> dict[Clip, str]:
        """Clip -> stem."""
        return {clip: stem for stem in self._paths if (clip := parse_clip(stem))}


def _folder_is(path: str, label: str) -> bool:
    return composed(path.rsplit("/", 2)[-2].replace("_", " ")) == composed(label.replace("_", " "))


def _several(stem: str, paths: list[str]) -> str:
    first, second = paths[:2]
    same_place = stem_of(first) == stem_of(second) and first.rsplit("/", 1)[0] == second.rsplit("/", 1)[0]
    if same_place:
        return f"the video '{stem}' is there twice, with two suffixes: {first} and {second}; remove one of them."
    return (
        f"the video '{stem}' is there twice: {first} and {second}; remove one of them, or set data.root to the folder "
        "that holds only one."
    )
