"""A small part of any trial, to rehearse an experiment with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from data_modules.errors import InputError
from data_modules.protocols.drawing import first_of_class
from data_modules.protocols.trial import Part, Trial


@dataclass(frozen=True)
class Limit:
    """How much to keep.

    Args:
        trials: of the protocol, the first ones.
        classes: of each part, the first ones.
        videos: of each class and part, the first ones; where there are no classes, times ``classes``.
    """

    trials: int = 2
    classes: int = 3
    videos: int = 2

    def __post_init__(self) -> None:
        if min(self.trials, self.classes, self.videos) < 1:
            raise InputError("data.limit: trials, classes and videos must be 1 or more.")


def limited(trials: Sequence[Trial], limit: Limit) -> list[Trial]:
    """The first trials, each with the first classes and videos of its parts."""
    return [_limited(trial, limit) for trial in trials[: limit.trials]]


def _limited(trial: Trial, limit: Limit) -> Trial:
    # Parts that share class names must keep the same ones.
    kept: set[str] = set()
    for part in trial.parts.values():
        if not kept.intersection(part.class_names):
            kept.update(part.class_names[: limit.classes])
    few = {name: _few(part, kept, limit) for name, part in trial.parts.items()}
    tests = {name: few[name] for name in trial.tests}
    return replace(trial, train=few["train"], val=few.get("val"), tests=tests)


def _few(part: Part, kept: set[str], limit: Limit) -> Part:
    if not part.class_names:
        return replace(part, records=part.records[: limit.classes * limit.videos])
    return first_of_class(part.only([name for name in part.class_names if name in kept]), limit.videos)
