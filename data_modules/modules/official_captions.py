"""Data sets of captioned videos whose official caption files one has to download."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from data_modules.annotations.official_files import find_file
from data_modules.modules.captioned import CaptionedDataModule, CaptionedOptions
from data_modules.protocols.trial import Split
from data_modules.typed_options import Unpack


class OfficialCaptions(CaptionedDataModule):
    """One file for each split, in the root, in ``annotations`` below it, or in another folder.

    Args:
        root: folder of the videos, in any layout; it may be missing where ``features`` names a feature store.
        annotations: another folder of the official files; null for ``root`` or ``root/annotations``.
        options: those that all data sets of captioned videos share, see `CaptionedDataModule`.
    """

    official_names: ClassVar[Mapping[Split, tuple[str, ...]]]  # that the file of a split may have

    def __init__(self, root: Path, annotations: Path | None = None, **options: Unpack[CaptionedOptions]) -> None:
        super().__init__(root, **options)
        self.annotations = annotations

    def find_official(self, split: Split, otherwise: Iterable[Path] = ()) -> Path | None:
        """The official file of a split, where it is there.

        Args:
            split: which one.
            otherwise: folders to look into last.
        """
        folders = (self.annotations,) if self.annotations else (self.root, self.root / "annotations")
        return find_file((*folders, *otherwise), self.official_names[split])

    @property
    def official_place(self) -> str:
        """Where the files belong, for messages."""
        return str(self.annotations or f"{self.root} or {self.root / 'annotations'}")
