"""Kinetics-400, -600 and -700."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from data_modules.annotations.kinetics_lists import KineticsLists, KineticsSplit, video_id_of
from data_modules.annotations.lazy_records import LazyRecords
from data_modules.annotations.list_files import ClassTable, read_rows
from data_modules.annotations.official_splits import to_records
from data_modules.annotations.published_lists import Published, PublishedLists
from data_modules.batch import Record
from data_modules.files.file_index import FileIndex
from data_modules.modules.trimmed import TrimmedDataModule, TrimmedOptions
from data_modules.protocols.trial import DatasetIndex, Subset, Trial
from data_modules.typed_options import Unpack

# 400: what the crawler lists of ActivityNet hold, its training list not counted here. 600 and 700: the data set's short
# notes, not counted here either, except the 30,000 validation clips of 600. Downloads have fewer, as videos disappear.
_SIZES = {400: (246534, 19906), 600: (392622, 30000), 700: (545317, 35000)}


class Kinetics(TrimmedDataModule):
    """Clips of 400, 600 or 700 actions, each from another YouTube video; a sample is a file of 10 seconds.

    The official validation videos are the test split here: 19,906 of Kinetics-400 and 30,000 of -600. Those two lists
    and the published few-shot, base-to-novel, zero-shot and open-set lists are packaged. Training lists, and the
    validation list of Kinetics-700, come with the videos (https://github.com/cvdfoundation/kinetics-dataset); where
    they are missing, class folders below ``root/train`` and ``root/val`` say the same. Videos lie in any layout and are
    called ``<youtube id>_<start>_<end>`` or ``<youtube id>``.

    Licence: annotations Creative Commons Attribution 4.0; the videos belong to those who uploaded them. Cite: Kay et
    al.: The Kinetics human action video dataset, arXiv 1705.06950; Carreira et al.: A short note about Kinetics-600,
    arXiv 1808.01340, or A short note on the Kinetics-700 human action dataset, arXiv 1907.06987; of the 2020 edition
    Smaira et al., arXiv 2010.10864.

    Args:
        root: folder of the videos.
        version: number of classes: 400, 600 or 700.
        annotations: folder of the official CSV files, such as ``train.csv`` or ``kinetics-400_train.csv``; null to look
            for them below ``root`` and otherwise take the packaged ones.
        options: those that all data sets share, see `TrimmedDataModule`.
    """

    def __init__(
        self,
        root: Path,
        version: Literal[400, 600, 700] = 400,
        annotations: Path | None = None,
        **options: Unpack[TrimmedOptions],
    ) -> None:
        super().__init__(root, **options)
        self.version = version
        self.annotations = annotations

    def published_sizes(self) -> Mapping[str, int]:
        """Training and validation clips of the version's first release; see the comment at the numbers."""
        train, test = _SIZES[self.version]
        return {"train": train, "test": test}

    @property
    def official(self) -> KineticsLists:
        """The official lists."""
        return KineticsLists(self.version, self.root, self.annotations)

    def scan(self) -> DatasetIndex:
        """Find the videos; lists are read when a protocol asks for them."""
        official, files = self.official, FileIndex(self.root)
        labels, place = official.labels, official.place

        def locate(name: str, label: str) -> tuple[str, Path]:
            video_id = video_id_of(name)
            return video_id, files.find_clip(video_id, label) or place(name, video_id, label)

        def read(split: KineticsSplit) -> tuple[Record, ...]:
            return to_records(official.videos(split, files), ClassTable(labels), locate)

        index = DatasetIndex(labels, LazyRecords(partial(read, "train"), partial(read, "val")), labels)
        lists = PublishedLists(
            "kinetics", labels, labels, locate, lambda name: official.validation_labels.get(video_id_of(name))
        )
        published: dict[int, Published] = {
            400: {
                "5way_5shot": lists.five_way,
                "5shot": partial(lists.five_shot, partial(index.subset, "test")),
                "base_to_novel": lists.base_to_novel,
            },
            600: {"zero_shot": partial(_zero_shot, lists)},
            700: {"open_set": partial(_open_set, index, *official.open_set())},
        }
        return replace(index, published=published[self.version], read_list=partial(lists.read_path, root=self.root))


def _zero_shot(lists: PublishedLists) -> list[Trial]:
    """Three sets of 160 classes that Kinetics-400 lacks; nothing to train on.

    Source: ``datasets_splits/k600_splits`` of muzairkhattak/ViFi-CLIP; classes of Chen and Huang, Elaborative rehearsal
    for zero-shot action recognition, ICCV 2021.
    """
    tests = {}
    for number in (1, 2, 3):
        order = [row.label for row in read_rows(lists.folder / f"zero_shot_split{number}_labels.csv")]
        tests[f"split{number}"] = lists.read(f"zero_shot_split{number}.txt.gz", order)
    return [Trial("zero-shot", Subset(lists.class_names, ()), tests)]


def _open_set(index: DatasetIndex, seen: list[str], unseen: list[str]) -> list[Trial]:
    """400 classes to train on, 300 to test on.

    Source: ``datasplits/Open-set Action Recognition/K700`` of ju-chen/Efficient-Prompt.
    """
    return [Trial("open set", index.subset("train").only(seen), {"test": index.subset("test").only(unseen)})]
