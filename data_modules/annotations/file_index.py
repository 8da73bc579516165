"""Where the videos are: one walk through a folder of any layout, then look-ups by name."""

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from data_modules.annotations.text_files import composed
from data_modules.errors import InputError

VIDEO_SUFFIXES = frozenset({".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"})

_CLIP = re.compile(r"([\w-]{11})(?:_(\d+)(?:\.0+)?_(\d+)(?:\.0+)?)?", re.ASCII)


def stem_of(name: str) -> str:
    """The last part of a path as lists write it, without a video's suffix; other dots belong to the name."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, suffix = os.path.splitext(last)  # noqa: PTH122 - a Path for each of 200,000 names takes seconds
    return stem if suffix.lower() in VIDEO_SUFFIXES else last


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
    """The video files below a folder by stem: flat, in class folders, in split folders, or nested otherwise.

    Symbolic links are followed; a folder that is reached twice is read once, so a loop of links ends. Hidden files and
    folders, and files that are no videos, are left out.

    Args:
        root: the folder.

    Raises:
        InputError: when there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InputError(f"there is no folder {root}; set data.root (data.init_args.root in YAML) to your videos.")
        self.root = root
        self._paths: dict[str, list[str]] = {}
        for folder, name, stem in _walk(str(root)):
            self._paths.setdefault(composed(stem), []).append(f"{folder}/{name}")

    def __len__(self) -> int:
        return sum(len(paths) for paths in self._paths.values())

    @property
    def paths(self) -> list[Path]:
        """All files, sorted."""
        return sorted(Path(path) for paths in self._paths.values() for path in paths)

    def find(self, stem: str, label: str = "") -> Path | None:
        """The file with this stem, whatever its suffix; None when there is none.

        Args:
            stem: name without folder and suffix.
            label: of several files the one in a folder of this name is taken; blanks and underscores are alike.

        Raises:
            InputError: when several files could be meant.
        """
        paths = self._paths.get(composed(stem), [])
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
        """Folder name and path of every file in ``<root>/<folder>/<folder name>/``, in the order of the paths."""
        start = f"{self.root}/{folder}/"
        paths = sorted(path for paths in self._paths.values() for path in paths if path.startswith(start))
        for path in paths:
            if (parts := path[len(start) :].split("/"))[1:]:
                yield parts[0], Path(path)

    @cached_property
    def _clips(self) -> dict[Clip, str]:
        """Clip -> stem."""
        return {clip: stem for stem in self._paths if (clip := parse_clip(stem))}


def _walk(root: str) -> Iterator[tuple[str, str, str]]:
    """Folder, file name and stem of each video; the name decides what is a video, so that no file is looked at."""
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        folders: list[tuple[bool, str]] = []
        try:
            status = os.stat(folder)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122
                    if suffix.lower() in VIDEO_SUFFIXES and not entry.is_dir(follow_symlinks=False):
                        yield folder, entry.name, stem
                    elif entry.is_dir():
                        folders.append((entry.is_symlink(), entry.path))
        except OSError as error:
            raise InputError(f"{folder} cannot be read: {error.strerror}.") from error
        # Real folders first: what a link shows a second time keeps the path without the link.
        waiting.extend(path for _, path in sorted(folders, reverse=True))


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
