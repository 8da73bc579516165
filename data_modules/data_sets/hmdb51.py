"""HMDB-51."""

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Literal

from data_modules.annotations import official_names
from data_modules.annotations.list_files import ClassTable
from data_modules.annotations.official_files import Listed, find_file, read_hmdb, read_packed_hmdb
from data_modules.annotations.official_splits import OfficialSplits, check_splits, to_records
from data_modules.annotations.published_lists import LISTS, PublishedLists
from data_modules.batch import Record
from data_modules.files.file_index import FileIndex, stem_of
from data_modules.modules.trimmed import TrimmedDataModule, TrimmedOptions
from data_modules.protocols.trial import DatasetIndex, Split
from data_modules.typed_options import Unpack

_FOLDERS = ("", "testTrainMulti_7030_splits", "splits", "annotations", "annotations/testTrainMulti_7030_splits")
_FLAGS: Mapping[Split, str] = {"train": "1", "test": "2"}


class HMDB51(TrimmedDataModule):
    """6,766 video clips of 51 actions, from films and the web; a sample is an avi file of about 3 seconds.

    Three official splits, each of 70 training and 30 test videos a class, which leave 1,666 videos unused. They and the
    published few-shot and base-to-novel lists are packaged; only the videos must be downloaded, from
    https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database, and unpacked in any layout.

    Licence: Creative Commons Attribution 4.0, as its page says. Cite: Kuehne, Jhuang, Garrote, Poggio, Serre: HMDB: a
    large video database for human motion recognition, ICCV 2011.

    Args:
        root: folder of the videos.
        splits: official splits, 1 to 3; with `ClosedSet` each is a trial, all else takes the first.
        spelling: class names as shown to CLIP: ``natural`` English, or the ``official`` ones of the paper's code, such
            as ``brush hairs`` and ``pullup``.
        annotations: folder of the 153 official files ``<class>_test_split<n>.txt``; null to look for them below
            ``root`` and otherwise take the packaged ones.
        options: those that all data sets share, see `TrimmedDataModule`.
    """

    def __init__(
        self,
        root: Path,
        splits: Sequence[int] = (1,),
        spelling: Literal["natural", "official"] = "natural",
        annotations: Path | None = None,
        **options: Unpack[TrimmedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.splits = check_splits(splits)
        self.spelling = spelling
        self.annotations = annotations

    def published_sizes(self) -> Mapping[str, int]:
        """Videos of every split; counted in the official files."""
        return {"train": 3570, "test": 1530}

    def scan(self) -> DatasetIndex:
        """Find the videos; lists are read when a protocol asks for them."""
        official = official_names.hmdb51_of_paper()
        labels = tuple(official)
        names = tuple(official.values()) if self.spelling == "official" else official_names.hmdb51()
        files = FileIndex(self.root)
        label_of = {listed.stem: listed.label for _, _, listed in _packaged()}

        def locate(name: str, label: str) -> tuple[str, Path]:
            stem = stem_of(name)
            return f"{label}/{stem}", files.find(stem, label) or self.root / label / f"{stem}.avi"

        def read(number: int, split: Split) -> tuple[Record, ...]:
            return to_records(self._official(labels, number, _FLAGS[split]), ClassTable(names, labels), locate)

        lists = PublishedLists("hmdb51", names, labels, locate, lambda name: label_of.get(stem_of(name)))
        splits = OfficialSplits(names, self.splits, read)
        read_list = partial(lists.read_path, root=self.root)
        return DatasetIndex(names, splits.records, labels, lists.of_splits(splits), read_list)

    def _official(self, labels: Sequence[str], number: int, flag: str) -> list[Listed]:
        first = f"{labels[0]}_test_split{number}.txt"
        file = find_file((self.root / folder for folder in _FOLDERS), [first])
        if self.annotations is not None:
            file = self.annotations / first
        if file is not None:
            return [listed for own, listed in read_hmdb(file.parent, labels, number) if own == flag]
        return [listed for split, own, listed in _packaged() if (split, own) == (number, flag)]


@cache
def _packaged() -> tuple[tuple[int, str, Listed], ...]:
    """Split, flag and video of the packaged splits; read once a process."""
    return tuple(read_packed_hmdb(LISTS / "hmdb51" / "official_splits.csv.gz"))
