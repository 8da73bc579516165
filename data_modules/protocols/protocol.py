"""What every protocol is: a pure function from what a data set holds, and a seed, to trials."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from data_modules.errors import InputError
from data_modules.protocols.trial import DatasetIndex, Trial


class Protocol(ABC):
    """Which videos and class names train, and which test. Pure: no files, no chance besides the seed."""

    @abstractmethod
    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """The trials, each with one training; nothing but the seed decides what is drawn."""

    @abstractmethod
    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """The protocol in words, for the run's summary: which classes are seen, how many draws."""


def published(index: DatasetIndex, name: str, otherwise: str) -> Sequence[Trial]:
    """Trials that others have published.

    Args:
        index: what the data set holds.
        name: of the published trials.
        otherwise: what to do where there are none, for the message.

    Raises:
        InputError: when nobody has published such trials for this data set.
    """
    if name not in index.published:
        known = f"; published are: {', '.join(sorted(index.published))}" if index.published else ""
        raise InputError(f"no published trials '{name}' are known for this data set{known}. {otherwise}")
    return index.published[name]()


def sizes(trial: Trial) -> str:
    """The number of videos of each subset of a trial, such as ``9,537 train, 3,783 test``."""
    return ", ".join(f"{len(subset.records):,} {name}" for name, subset in trial.subsets.items())
