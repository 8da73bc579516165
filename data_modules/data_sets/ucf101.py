"""UCF-101."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from data_modules.annotations import official_names
from data_modules.annotations.list_files import ClassTable
from data_modules.annotations.official_files import find_file, read_ucf
from data_modules.annotations.official_splits import OfficialSplits, check_splits, to_records
from data_modules.annotations.published_lists import LISTS, PublishedLists
from data_modules.batch import Record
from data_modules.files.file_index import FileIndex, stem_of
from data_modules.modules.trimmed import TrimmedDataModule, TrimmedOptions
from data_modules.protocols.trial import DatasetIndex, Split
from data_modules.typed_options import Unpack

_FOLDERS = ("", "ucfTrainTestlist", "splits", "annotations", "annotations/ucfTrainTestlist")
_SIZES = {1: (9537, 3783), 2: (9586, 3734), 3: (9624, 3696)}


class UCF101(TrimmedDataModule):
    """13,320 video clips of 101 actions, from YouTube; a sample is an avi file of about 7 seconds.

    Three official splits, of 9,537 and 3,783, 9,586 and 3,734, 9,624 and 3,696 training and test videos. They and the
    published few-shot and base-to-novel lists are packaged; only the videos must be downloaded, from
    https://www.crcv.ucf.edu/data/UCF101.php, and unpacked in any layout.

    Licence: none stated; for research. Cite: Soomro, Zamir, Shah: UCF101: A dataset of 101 human actions classes from
    videos in the wild, CRCV-TR-12-01, 2012.

    Args:
        root: folder of the videos.
        splits: official splits, 1 to 3; with `ClosedSet` each is a trial, all else takes the first.
        spelling: class names as shown to CLIP: ``natural`` English, the ``official`` ones, such as
            ``ApplyEyeMakeup``, or as CLIP's authors write them for it, ``Apply Eye Makeup``: ``clip``. (Of Kinetics-700
            theirs are the official ones.)
        annotations: folder of the official files ``trainlist01.txt``, ``testlist01.txt`` and so on; null to look for
            them below ``root`` and otherwise take the packaged ones.
        options: those that all data sets share, see `TrimmedDataModule`.
    """

    def __init__(
        self,
        root: Path,
        splits: Sequence[int] = (1,),
        spelling: Literal["natural", "official", "clip"] = "natural",
        annotations: Path | None = None,
        **options: Unpack[TrimmedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.splits = check_splits(splits)
        self.spelling = spelling
        self.annotations = annotations

    def published_sizes(self) -> Mapping[str, int]:
        """Videos of the first split asked for; counted in the official files."""
        train, test = _SIZES[self.splits[0]]
        return {"train": train, "test": test}

    def scan(self) -> DatasetIndex:
        """Find the videos; lists are read when a protocol asks for them."""
        labels = official_names.ucf101_labels()
        names = {"official": labels, "clip": official_names.ucf101_of_clip()}.get(self.spelling) or tuple(
            map(official_names.words_of_capitals, labels)
        )
        files = FileIndex(self.root)
        label_of = {f"v_{label}".lower(): label for label in labels}

        def locate(name: str, label: str) -> tuple[str, Path]:
            # The official lists capitalize the class "HandstandPushups" in another way in its videos' names; there are
            # copies of the data set that do not.
            stem = stem_of(name).replace("v_HandstandPushups", "v_HandStandPushups")
            path = files.find(stem, label) or files.find(stem.replace("HandStand", "Handstand"), label)
            return f"{label}/{stem}", path or self.root / label / f"{stem}.avi"

        def read(number: int, split: Split) -> tuple[Record, ...]:
            path = self._official(f"{split}list{number:02d}.txt")
            return to_records(read_ucf(path), ClassTable(names, labels), locate)

        lists = PublishedLists(
            "ucf101", names, labels, locate, lambda name: label_of.get(stem_of(name).split("_g")[0].lower())
        )
        splits = OfficialSplits(names, self.splits, read)
        read_list = partial(lists.read_path, root=self.root)
        return DatasetIndex(names, splits.records, labels, lists.of_splits(splits), read_list)

    def _official(self, name: str) -> Path:
        if self.annotations is not None:
            return self.annotations / name
        below_root = find_file((self.root / folder for folder in _FOLDERS), [name])
        return below_root or LISTS / "ucf101" / f"{name}.gz"
