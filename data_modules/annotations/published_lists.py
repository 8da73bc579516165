"""Trials that others have published, from the packaged lists."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from data_modules.annotations.list_files import ClassTable, MakeRecord, read_list, read_rows
from data_modules.annotations.official_splits import Locate, OfficialSplits
from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.files.regular_files import is_file
from data_modules.files.text_files import read_text
from data_modules.protocols.base_to_novel import HARMONIC
from data_modules.protocols.trial import Subset, Trial

Published: TypeAlias = dict[str, Callable[[], Sequence[Trial]]]

LISTS = Path(__file__).parent / "lists"


class PublishedLists:
    """The packaged lists of one data set; see ``lists/README.md`` for what there is.

    Args:
        folder: below ``lists``.
        class_names: as shown to CLIP.
        labels: their official spelling.
        locate: listed name and official label -> video id and file.
        label_of: official label of a listed name, as far as known without the list. A list that says another is
            refused: its numbers count the classes in another order.
    """

    def __init__(
        self,
        folder: str,
        class_names: Sequence[str],
        labels: Sequence[str],
        locate: Locate,
        label_of: Callable[[str], str | None],
    ) -> None:
        self.folder = LISTS / folder
        self.class_names, self.labels = tuple(class_names), tuple(labels)
        self._table = ClassTable(class_names, labels)
        self._locate, self._label_of = locate, label_of

    def read_path(self, path: str, root: Path) -> Subset:
        """Any list of all classes, by path; one that is not there is looked for below ``root``."""
        file = Path(path)
        if not is_file(file) and is_file(root / file):
            file = root / file
        return read_list(file, self.class_names, self.labels, self._record(self.labels))

    def read(self, file: str, labels: Sequence[str] | None = None) -> Subset:
        """A packaged list; ``labels`` are what its numbers count, all classes where not given."""
        labels = self.labels if labels is None else labels
        names = [self.class_names[self.labels.index(label)] for label in labels]
        return read_list(self.folder / file, names, labels, self._record(labels))

    def of_splits(self, splits: OfficialSplits) -> Published:
        """All that is published for a data set with three official splits."""
        published: Published = {
            "5way_5shot": self.five_way,
            "5shot": partial(self.five_shot, splits.test_of_few_shot),
            **{f"{shots}shot": partial(self.few_shot, shots, splits.test_of_few_shot) for shots in (2, 4, 8, 16)},
            "base_to_novel": self.base_to_novel,
            "zero_shot": splits.zero_shot,
        }
        if len(splits.chosen) > 1:
            published["closed_set"] = splits.closed_set
        return published

    def five_way(self) -> list[Trial]:
        """200 trials of 5 classes, 5 training videos each; classes in the order of the training list.

        Source: ``datasplits/Few-shot Action Recognition/5-Shot-5-Way setting`` of ju-chen/Efficient-Prompt.
        """
        records, trials = self._packed("5way_5shot.json.gz")
        shared: dict[tuple[int, int], Record] = {}  # the trials draw from few videos, whose records they share
        drawn = []
        for number, indices in enumerate(zip(trials["train"], trials["test"], strict=True)):
            classes = list(dict.fromkeys(records[index].target for index in indices[0]))
            names = tuple(self.class_names[target] for target in classes)
            pair = []
            for subset in indices:
                keys = [(index, classes.index(records[index].target)) for index in subset]
                for index, target in set(keys).difference(shared):
                    shared[index, target] = replace(records[index], target=target)
                pair.append(Subset(names, tuple(shared[key] for key in keys)))
            drawn.append(Trial(f"trial {number}", pair[0], {"test": pair[1]}))
        return drawn

    def five_shot(self, test: Callable[[], Subset]) -> list[Trial]:
        """10 samplings of 5 training videos of all classes.

        Source: ``datasplits/Few-shot Action Recognition/5-Shot-C-Way setting`` of ju-chen/Efficient-Prompt.
        """
        tests = {"test": test()}
        records, trials = self._packed("5shot.json.gz")
        supports = (Subset(self.class_names, tuple(records[index] for index in train)) for train in trials["train"])
        return [Trial(f"sampling {number}", train, tests) for number, train in enumerate(supports)]

    def few_shot(self, shots: int, test: Callable[[], Subset]) -> list[Trial]:
        """The one list of so many training videos of all classes.

        Source: ``datasets_splits`` of muzairkhattak/ViFi-CLIP.
        """
        return [Trial(f"{shots} shots", self.read(f"{shots}shot.txt.gz"), {"test": test()})]

    def base_to_novel(self) -> list[Trial]:
        """Trials s1 to s3, as far as packaged: 16 training videos of each base class.

        Source: ``datasets_splits/base2novel_splits`` of muzairkhattak/ViFi-CLIP.
        """
        orders = {half: self._order(f"base_to_novel_{half}.txt.gz") for half in ("base", "novel")}
        tests = {half: self.read(f"base_to_novel_{half}.txt.gz", order) for half, order in orders.items()}
        names = [name for name in ("s1", "s2", "s3") if (self.folder / f"base_to_novel_{name}.txt.gz").exists()]
        return [
            Trial(name, self.read(f"base_to_novel_{name}.txt.gz", orders["base"]), tests, harmonic_means=HARMONIC)
            for name in names
        ]

    def _order(self, file: str) -> list[str]:
        """What the numbers of a packaged list count, found by its videos, whose classes are known."""
        label_of: dict[int, str] = {}
        for row in read_rows(self.folder / file):
            if int(row.label) not in label_of:
                label = self._label_of(row.name)
                assert label is not None, row.name
                label_of[int(row.label)] = label
        return [label_of[number] for number in range(len(label_of))]

    def _record(self, labels: Sequence[str]) -> MakeRecord:
        def record(name: str, targets: Sequence[int]) -> Record:
            label, known = labels[targets[0]], self._label_of(name)
            if known is not None and known not in {labels[target] for target in targets}:
                raise InputError(
                    f"{name} is a video of class '{known}', and its label here means '{label}'. Does the list count "
                    "the classes in another order? Then write class names instead of numbers."
                )
            return Record(*self._locate(name, known or label), targets[0])

        return record

    def _packed(self, file: str) -> tuple[list[Record], Mapping[str, list[list[int]]]]:
        """The records of all videos of a packed file, and what it calls its parts: the videos of each trial."""
        packed = json.loads(read_text(self.folder / file))
        record, records = self._record(self.labels), []
        for video in packed["videos"]:  # <class>/<name>, where the class may be written with blanks
            target = self._table.target(video.split("/")[0])
            assert target is not None, video
            records.append(record(video, [target]))
        return records, {
            subset: [trials[str(number)] for number in range(len(trials))] for subset, trials in packed["parts"].items()
        }
