"""What every task gathers in validation and in tests: one interface, whatever is counted."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Generic, TypeVar

from torch import distributed, nn

T = TypeVar("T")


class Results(nn.Module, ABC):
    """What a task makes of one subset, batch by batch, on any number of processes.

    A subclass has an ``update`` for the batches of its task.
    """

    chance: float | None = None  # what a blind guess comes to in the task's main figure, where that can be said

    @abstractmethod
    def reset(self) -> None:
        """Forget all that was added, as before a new epoch of validation or a new test."""

    @abstractmethod
    def gather(self) -> None:
        """Bring together what all processes have; all of them have to call it."""

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """The figures by name, once all is gathered; none where nothing was scored."""

    def of_classes(self, class_names: Collection[str], *, inverted: bool = False) -> dict[str, float]:
        """Figures over some classes alone, all of them being candidates; none where nothing shows them.

        Args:
            class_names: these.
            inverted: over all others instead.
        """
        return {}


class VideoResults(Results, Generic[T]):
    """What is said of each video of one subset, which counts once however many processes there are.

    Args:
        class_names: the candidates.
        paths: files of the videos, for reports.
        with_frozen: whether the frozen backbone's figure is one of those that are computed.
    """

    def __init__(
        self, class_names: Sequence[str], paths: Mapping[str, Path] | None = None, with_frozen: bool = True
    ) -> None:
        super().__init__()
        self.class_names, self.paths, self.with_frozen = list(class_names), paths or {}, with_frozen
        self._all: list[T] = []

    @property
    def videos(self) -> list[T]:
        """Those that figures are of."""
        return self._all

    def reset(self) -> None:
        """Forget all videos, as before a new epoch of validation or a new test."""
        self._all = []

    def gather(self) -> None:
        """Bring together what all processes have, in the order of the subset."""
        self._all = in_turn(shares_of_processes(self._all))


def shares_of_processes(own: T) -> list[T]:
    """What each process has, in the order of their ranks; of a single process, its own alone."""
    if not distributed.is_available() or not distributed.is_initialized() or distributed.get_world_size() == 1:
        return [own]
    shares: list[T] = [own] * distributed.get_world_size()
    distributed.all_gather_object(shares, own)
    return shares


def in_turn(shares: list[list[T]]) -> list[T]:
    """What was dealt out to processes in turn, in its order."""
    return [item for item in chain.from_iterable(zip_longest(*shares)) if item is not None]
