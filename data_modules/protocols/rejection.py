"""Rejection: some classes are never candidates, and their test videos show none of them."""

from collections.abc import Sequence
from dataclasses import replace

from data_modules.errors import InputError
from data_modules.protocols.drawing import draw_by_class, draw_names
from data_modules.protocols.open_set import known_names
from data_modules.protocols.protocol import Protocol, sizes
from data_modules.protocols.trial import DatasetIndex, Subset, Trial


class Rejection(Protocol):
    """Train on the videos of some classes, the known ones, and test on those of all: who tells which are known?

    Tests report, beside the accuracy on known videos, how well confidence tells them from the others.

    Args:
        known_classes: names of the classes that are candidates, or null to draw them.
        known_fraction: share of the classes that are drawn as known.
        shots: training videos of each known class; null for all.
        num_trials: draws.
        trials_seed: of the draws; runs with different seeds but the same ``trials_seed`` share their trials.
    """

    def __init__(
        self,
        known_classes: list[str] | None = None,
        known_fraction: float = 0.5,
        shots: int | None = None,
        num_trials: int = 1,
        trials_seed: int = 0,
    ) -> None:
        if not 0 < known_fraction < 1:
            raise InputError(f"protocol: known_fraction must be between 0 and 1, not {known_fraction}.")
        if num_trials < 1 or (shots is not None and shots < 1):
            raise InputError("protocol: num_trials and shots must be 1 or more.")
        self.known_classes, self.known_fraction = known_classes, known_fraction
        self.shots, self.num_trials, self.trials_seed = shots, num_trials, trials_seed

    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """A trial for each draw of the known classes."""
        if len(index.class_names) < 3:
            raise InputError(f"protocol: of {len(index.class_names)} classes none can be left unknown; 3 are needed.")
        if any(record.target < 0 for record in index.subset("test").records):
            raise InputError("protocol: Rejection is for videos that show one class each; those tested here do not.")
        return [self._trial(index, number) for number in range(1 if self.known_classes else self.num_trials)]

    def _trial(self, index: DatasetIndex, number: int) -> Trial:
        names = self._known(index, number)
        train, val = index.subset("train").only(names), index.subset("val").only(names)
        if (shots := self.shots) is not None:
            train = draw_by_class(train, lambda _: shots, self.trials_seed, 2, number)
        test = {"test": with_others(index.subset("test"), names)}
        return Trial(f"draw {number}", train, test, val if val.records else None)

    def _known(self, index: DatasetIndex, number: int) -> Sequence[str]:
        names = index.class_names
        if self.known_classes is None:
            count = min(max(round(self.known_fraction * len(names)), 2), len(names) - 1)
            return draw_names(names, count, self.trials_seed, 1, number)
        known = known_names(index, self.known_classes, "known_classes")
        if not 1 < len(known) < len(names):
            raise InputError(
                f"protocol: known_classes names {len(known)} of {len(names)} classes; name 2 or more, but not all."
            )
        return known

    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """How many classes are known, and the videos that show none of them."""
        first = trials[0]
        known, unknown = len(first.train.class_names), first.tests["test"].num_unknown
        draws = f"; {len(trials)} draws" if len(trials) > 1 else ""
        return (
            f"rejection: {known} of {len(index.class_names)} classes are known, seen in training and candidates in the "
            f"test, in which {unknown:,} videos show none of them{draws}; {sizes(first)} videos."
        )


def with_others(subset: Subset, known: Sequence[str]) -> Subset:
    """All videos of a subset, scored against some of its classes: those of the others have no target."""
    number = {subset.class_names.index(name): target for target, name in enumerate(known)}
    records = (record.renumbered(number) or replace(record, target=-1) for record in subset.records)
    return Subset(tuple(known), tuple(records))
