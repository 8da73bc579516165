"""One function, called for many things in several processes."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from torch.utils.data import DataLoader, Dataset

A = TypeVar("A")
B = TypeVar("B")


class _Calls(Dataset[B], Generic[A, B]):
    def __init__(self, function: Callable[[A], B], arguments: Sequence[A]) -> None:
        self.function, self.arguments = function, arguments

    def __len__(self) -> int:
        return len(self.arguments)

    def __getitem__(self, index: int) -> B:
        return self.function(self.arguments[index])


def in_processes(function: Callable[[A], B], arguments: Sequence[A], num_workers: int) -> Iterator[B]:
    """What a function makes of each, in their order.

    A loader's workers are a pool that every platform here starts safely and fast.

    Args:
        function: of a module, so that processes find it.
        arguments: one for each call.
        num_workers: processes; 0 calls in this one.
    """
    yield from DataLoader(_Calls(function, arguments), batch_size=None, num_workers=num_workers)
