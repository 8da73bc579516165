"""A small part of any trial, for a dry run of an experiment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.protocols.drawing import first_of_class
from data_modules.protocols.trial import Subset, Trial


@dataclass(frozen=True)
class Limit:
    """How much to keep.

    Args:
        trials: of the protocol, the first ones.
        classes: of each subset, the first ones.
        videos: of each class and subset, the first ones; where there are no classes, times ``classes``.
    """

    trials: int = 2
    classes: int = 3
    videos: int = 2

    def __post_init__(self) -> None:
        if min(self.trials, self.classes, self.videos) < 1:
            raise InputError("data.limit: trials, classes and videos must be 1 or more.")


def limited(trials: Sequence[Trial], limit: Limit) -> list[Trial]:
    """The first trials, each with the first classes and videos of its subsets."""
    return [_limited(trial, limit) for trial in trials[: limit.trials]]


def _limited(trial: Trial, limit: Limit) -> Trial:
    # Subsets that share class names must keep the same ones.
    kept: set[str] = set()
    for subset in trial.subsets.values():
        if not kept.intersection(subset.class_names):
            kept.update(subset.class_names[: limit.classes])
    few = {name: _few(subset, kept, limit) for name, subset in trial.subsets.items()}
    tests = {name: few[name] for name in trial.tests}
    return replace(trial, train=few["train"], val=few.get("val"), tests=tests)


def _few(subset: Subset, kept: set[str], limit: Limit) -> Subset:
    if not subset.class_names:
        return replace(subset, records=subset.records[: limit.classes * limit.videos])
    few = first_of_class(subset.only([name for name in subset.class_names if name in kept]), limit.videos)
    unknown = [record for record in subset.records if type(record) is Record and not record.targets]
    return replace(few, records=(*few.records, *unknown[: limit.classes * limit.videos]))
