"""Which videos Kinetics has: by the user's CSV files, the packaged ones, or class folders."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from data_modules.annotations.official_files import Listed, find_kinetics, read_kinetics
from data_modules.annotations.published_lists import LISTS
from data_modules.errors import InputError
from data_modules.files.file_index import FileIndex, parse_clip, stem_of
from data_modules.files.text_files import read_text

KineticsSplit: TypeAlias = Literal["train", "val"]

_AS_DOWNLOADED = re.compile(r"(?:[^/]+/)?([\w-]{11}_\d{6}_\d{6})(?:\.mp4)?", re.ASCII)  # nearly all: faster
_FOLDERS: Mapping[KineticsSplit, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "validate", "validation"),
}


class KineticsLists:
    """The official lists of one version.

    Args:
        version: 400, 600 or 700.
        root: folder of the videos.
        annotations: folder of the user's CSV files, which are looked for below ``root`` too.
    """

    def __init__(self, version: int, root: Path, annotations: Path | None) -> None:
        self.version, self.root = version, root
        self._folders = (root,) if annotations is None else (annotations, root)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Class names in label order."""
        return tuple(read_text(LISTS / "kinetics" / f"label_map_k{self.version}.txt").split("\n")[:-1])

    @cached_property
    def validation_labels(self) -> Mapping[str, str]:
        """Label of each packaged validation video, by video id."""
        path = self._packaged("val")
        return {video.stem: video.label for video in read_kinetics(path, "val")} if path.exists() else {}

    def has(self, split: KineticsSplit) -> bool:
        """Whether it can be known which videos a split has."""
        folders = (path.name.lower() for path in self.root.iterdir() if path.is_dir()) if self.root.is_dir() else ()
        return self._file(split) is not None or any(folder in _FOLDERS[split] for folder in folders)

    def videos(self, split: KineticsSplit, files: FileIndex) -> Iterator[Listed]:
        """The videos of a split, named as ``<split>/<video id>``.

        Raises:
            InputError: when there is no list, or one with mistakes.
        """
        if (file := self._file(split)) is not None:
            yield from (video._replace(stem=f"{split}/{video.stem}") for video in read_kinetics(file, split))
            return
        in_folders = [video for folder in _FOLDERS[split] for video in files.below(folder)]
        if not in_folders:
            raise InputError(
                f"the list of the {split} videos of Kinetics-{self.version} is needed, and is not packaged: download "
                f"{split}.csv (links at https://github.com/cvdfoundation/kinetics-dataset) and put it at "
                f"{self.root}/annotations/{split}.csv, or its folder into data.annotations; or keep the videos in "
                f"class folders, {self.root}/{split}/<class>/."
            )
        for label, path in in_folders:
            yield Listed(str(path), label, f"{split}/{path.stem}")

    def place(self, name: str, video_id: str, label: str) -> Path:
        """Where the official layout has a video; its split is as the list writes it, or as it is known to be."""
        first = name.split("/")[0]
        if first not in ("train", "val", "test"):
            first = "val" if video_id in self.validation_labels else "train"
        return self.root / first / label / f"{video_id}.mp4"

    def open_set(self) -> Sequence[list[str]]:
        """Classes of Kinetics-700 to train on and to test on."""
        files = (LISTS / "kinetics" / f"open_set_{half}.txt" for half in ("train", "test"))
        return [read_text(file).split("\n")[:-1] for file in files]

    def _file(self, split: KineticsSplit) -> Path | None:
        packaged = self._packaged(split)
        return find_kinetics(self._folders, self.version, split) or (packaged if packaged.exists() else None)

    def _packaged(self, split: KineticsSplit) -> Path:
        return LISTS / "kinetics" / f"kinetics-{self.version}_{split}.csv.gz"


def video_id_of(name: str) -> str:
    """``<youtube id>_<start>_<end>``, however a list writes it; names without times stay as they are."""
    if match := _AS_DOWNLOADED.fullmatch(name):
        return match[1]
    stem = stem_of(name)
    clip = parse_clip(stem)
    return stem if clip is None else clip.name
