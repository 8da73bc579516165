"""Open set by random halves of the classes, several times."""

from collections.abc import Sequence

from data_modules.errors import InputError
from data_modules.protocols.drawing import draw_names
from data_modules.protocols.protocol import Protocol
from data_modules.protocols.trial import DatasetIndex, Trial


class RandomHalves(Protocol):
    """Train on one half of the classes, test on the other, for several random halves.

    Figures over half of the classes are much higher than over all of them: the two must not be compared.

    Args:
        num_trials: random halves.
        trials_seed: of the draws; runs with different seeds but the same ``trials_seed`` share their halves.
    """

    def __init__(self, num_trials: int = 10, trials_seed: int = 0) -> None:
        if num_trials < 1:
            raise InputError("protocol: num_trials must be 1 or more.")
        self.num_trials, self.trials_seed = num_trials, trials_seed

    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """A trial for each half; of an odd number of classes the larger half is seen."""
        names = list(index.class_names)
        if len(names) < 2:
            raise InputError("protocol: one class cannot be halved.")
        trials = []
        for number in range(self.num_trials):
            seen = draw_names(names, (len(names) + 1) // 2, self.trials_seed, number)
            unseen = [name for name in names if name not in seen]
            tests = {"test": index.subset("test").only(unseen)}
            trials.append(Trial(f"half {number}", index.subset("train").only(seen), tests))
        return trials

    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """How many classes a half has, and how often they are drawn."""
        first = trials[0]
        return (
            f"open set by random halves: {len(first.train.class_names)} of {len(index.class_names)} classes "
            f"are seen in training, and tested are the {len(first.tests['test'].class_names)} others, among their own "
            f"names; "
            f"{len(trials)} draws."
        )
