"""Folds: every training video is tested once, by a model that was trained without it."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.protocols.protocol import Protocol, sizes
from data_modules.protocols.trial import DatasetIndex, Subset, Trial


class Folds(Protocol):
    """Cross-validation within the training videos, class by class: for a few examples, and nothing else to test on.

    The videos of each class are dealt to the folds in an order drawn by the seed; a fold is tested by what was trained
    on all others. There are never more folds than a class has videos, so that each leaves out one of a class at most
    where classes have few. A class with one video is always trained on and never tested.

    Args:
        count: folds at most.
    """

    def __init__(self, count: int = 5) -> None:
        if count < 2:
            raise InputError(f"protocol: count of folds must be 2 or more, not {count}.")
        self.count = count

    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """A trial for each fold."""
        train = index.subset("train")
        by_class: dict[int, list[Record]] = defaultdict(list)
        for record in train.records:
            by_class[record.targets[0]].append(record)
        count = min(self.count, max(map(len, by_class.values()), default=0))
        if count < 2:
            raise InputError("protocol: no class has two training videos, so that none can be held out.")
        fold_of: dict[str, int] = {}
        dealt = 0  # goes on from class to class, so that folds are equally large
        for target, records in sorted(by_class.items()):
            order = np.random.default_rng((seed, 9, target)).permutation(len(records)) if len(records) > 1 else ()
            for place in order:
                fold_of[records[place].video_id] = dealt % count
                dealt += 1
        trials = []
        for fold in range(count):
            tested = tuple(record for record in train.records if fold_of.get(record.video_id) == fold)
            test = Subset(train.class_names, tested)
            trials.append(Trial(f"fold {fold + 1} of {count}", train.without(test.ids), {"test": test}))
        return trials

    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """How many folds, and of how many videos."""
        tested = sum(len(trial.tests["test"].records) for trial in trials)
        total = len(index.subset("train").records)
        return (
            f"folds: {tested} of {total} training videos of {len(index.class_names)} classes are tested, each once, by "
            f"what was trained without it; {len(trials)} folds, {sizes(trials[0])} videos in the first."
        )
