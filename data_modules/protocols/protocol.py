"""What every protocol is: a pure function from what a data set holds, and a seed, to trials."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from data_modules.errors import InputError
from data_modules.protocols.trial import DatasetIndex, Trial


class Protocol(ABC):
    """Which videos and class names train, and which test. Pure: no files, no chance besides the seed."""

    @abstractmethod
    def trials(self, dataset_index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """The trials, each with one training; nothing but the seed decides what is drawn."""

    @abstractmethod
    def describe(self, dataset_index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """The protocol in words, for the run's summary: which classes are seen, how many draws."""


def published(dataset_index: DatasetIndex, name: str, otherwise: str) -> Sequence[Trial]:
    """Trials that others have published.

    Args:
        dataset_index: what the data set holds.
        name: of the published trials.
        otherwise: what to do where there are none, for the message.

    Raises:
        InputError: when nobody has published such trials for this data set.
    """
    if name not in dataset_index.published:
        known = f"; published are: {', '.join(sorted(dataset_index.published))}" if dataset_index.published else ""
        raise InputError(f"no published trials '{name}' are known for this data set{known}. {otherwise}")
    return dataset_index.published[name]()


def sizes(trial: Trial) -> str:
    """The videos of a trial, part by part, in words."""
    return ", ".join(f"{len(subset.records):,} {name}" for name, subset in trial.subsets.items())
