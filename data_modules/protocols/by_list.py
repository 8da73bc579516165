"""Any published list of videos and labels, by path."""

from collections.abc import Sequence

from data_modules.errors import InputError
from data_modules.protocols.protocol import Protocol, sizes
from data_modules.protocols.trial import DatasetIndex, Subset, Trial


class ByList(Protocol):
    """Train and test on lists of ``video label`` or ``video,label`` rows, as the field's repositories write them.

    A label is an index into the class names or a class name; of a ``class/video`` path the folder may be the label.
    Videos are found by their names without folder and suffix.

    Args:
        train_list: path of the training list.
        test_list: path of the test list, or of several, whose results are averaged.
        val_list: path of the list that the best checkpoint is chosen on.
    """

    def __init__(self, train_list: str, test_list: str | list[str], val_list: str | None = None) -> None:
        self.train_list, self.val_list = train_list, val_list
        self.test_lists = [test_list] if isinstance(test_list, str) else test_list
        if not self.test_lists:
            raise InputError("protocol: test_list names no list.")

    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """One trial, whose tests are the test lists."""
        if index.read_list is None:
            raise InputError("protocol: lists cannot be read for this data set.")
        tests: dict[str, Subset] = {}
        for number, path in enumerate(self.test_lists, start=1):
            tests["test" if len(self.test_lists) == 1 else f"list{number}"] = index.read_list(path)
        val = index.read_list(self.val_list) if self.val_list else None
        return [Trial("lists", index.read_list(self.train_list), tests, val)]

    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """Which lists, how many classes of them training sees, and the videos."""
        (trial,) = trials
        seen = {target for record in trial.train.records for target in record.targets}
        lists = f"{self.train_list} and {', '.join(self.test_lists)}"
        total = len(trial.train.class_names)
        return f"lists {lists}: {len(seen)} of {total} classes are seen in training; {sizes(trial)} videos."
