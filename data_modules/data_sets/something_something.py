"""Something-Something v2."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from data_modules.annotations import official_names
from data_modules.annotations.lazy_records import LazyRecords
from data_modules.annotations.list_files import ClassTable, read_rows
from data_modules.annotations.official_files import find_file, read_ssv2
from data_modules.annotations.official_splits import to_records
from data_modules.annotations.published_lists import LISTS, Published, PublishedLists
from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.files.file_index import FileIndex, stem_of
from data_modules.modules.trimmed import TrimmedDataModule, TrimmedOptions
from data_modules.protocols.trial import DatasetIndex
from data_modules.typed_options import Unpack

_FOLDERS = ("", "labels", "annotations", "annotations/labels")
_SIZES = {"train": 168913, "test": 24777}


class SomethingSomethingV2(TrimmedDataModule):
    """220,847 clips of 174 templates, such as "Putting something into something", acted for the data set.

    A sample is a webm file of about 4 seconds. The 24,777 official validation videos are the test split here, as the
    labels of the 27,157 test videos are not public. Their list and the published few-shot and base-to-novel lists are
    packaged; the list of the 168,913 training videos comes with the videos, from
    https://www.qualcomm.com/developer/software/something-something-v-2-dataset.

    Licence: that of Qualcomm, for research. Cite: Goyal et al.: The "something something" video database for learning
    and evaluating visual common sense, ICCV 2017.

    Args:
        root: folder of the videos, in any layout.
        annotations: folder of the official JSON files, ``train.json`` or ``something-something-v2-train.json``, and
            so on; null to look for them below ``root`` and otherwise take the packaged lists.
        options: those that all data sets share, see `TrimmedDataModule`.
    """

    def __init__(self, root: Path, annotations: Path | None = None, **options: Unpack[TrimmedOptions]) -> None:
        super().__init__(root, **options)
        self.annotations = annotations

    def published_sizes(self) -> Mapping[str, int]:
        """Training videos as the data set's page counts them; validation videos counted in the packaged list."""
        return dict(_SIZES)

    def scan(self) -> DatasetIndex:
        """Find the videos; lists are read when a protocol asks for them."""
        labels = official_names.ssv2()
        table = ClassTable(labels)
        files = FileIndex(self.root)

        def locate(name: str, label: str) -> tuple[str, Path]:
            stem = stem_of(name)
            return stem, files.find(stem, label) or self.root / f"{stem}.webm"

        def train() -> tuple[Record, ...]:
            if (file := self.find_list("train")) is None:
                raise InputError(
                    "the list of the training videos of Something-Something v2 is needed, and is not packaged: put "
                    f"train.json of its labels archive at {self.root}/labels/train.json, or its folder into "
                    "data.annotations."
                )
            return to_records(read_ssv2(file), table, locate)

        def test() -> tuple[Record, ...]:
            if (file := self.find_list("validation")) is not None:
                return to_records(read_ssv2(file), table, locate)
            return lists.read("validation.txt.gz").records

        records = LazyRecords(train, test)
        lists = PublishedLists("ssv2", labels, labels, locate, lambda name: self._known.get(stem_of(name)))
        index = DatasetIndex(labels, records, labels)
        test_part = partial(index.subset, "test")
        published: Published = {
            **{f"{shots}shot": partial(lists.few_shot, shots, test_part) for shots in (2, 4, 8, 16)},
            "base_to_novel": lists.base_to_novel,
        }
        return replace(index, published=published, read_list=partial(lists.read_path, root=self.root))

    def find_list(self, split: Literal["train", "validation"]) -> Path | None:
        """The official JSON file of a split, where the user has it."""
        folders = (self.annotations, self.root) if self.annotations else (self.root,)
        names = (f"{split}.json", f"something-something-v2-{split}.json")
        return find_file((folder / name for folder in folders for name in _FOLDERS), names)

    @cached_property
    def _known(self) -> Mapping[str, str]:
        """Labels of the packaged validation videos."""
        labels = official_names.ssv2()
        rows = read_rows(LISTS / "ssv2" / "validation.txt.gz")
        return {stem_of(row.name): labels[int(row.label)] for row in rows}
