"""Which sample comes when: the same on every machine, and exact when a run is resumed in the middle of an epoch."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
from torch.utils.data import DataLoader, DistributedSampler

T = TypeVar("T")
SampleKey = tuple[int, int]  # (epoch, index): all that the chance in a sample depends on, besides the seed


class LazyLoader(DataLoader[T]):
    """A loader that asks its sampler for keys when the first batch is wanted, not when an iterator is made.

    Lightning makes an iterator before it has told the sampler which epoch a resumed run is in, and workers would have
    been sent the keys of another one.
    """

    def __iter__(self) -> Iterator[T]:  # type: ignore[override]
        yield from super().__iter__()


def trial_seed(seed: int, number: int) -> int:
    """The seed of one of many trials: of the first the experiment's own."""
    return seed if number == 0 else int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


class KeySampler(DistributedSampler[SampleKey]):
    """Sample keys for one process: shuffled alike on all of them, none handed out twice.

    It is a ``DistributedSampler`` so that Lightning leaves it in place and tells it the epoch.

    Args:
        num_videos: samples in the split: videos, or windows of them.
        training: shuffle anew each epoch, and give all processes equally many (a remainder smaller than the number
            of processes sits out that epoch). Otherwise the given order, every sample once over all processes.
        seed: of the order.
        rank: this process.
        world_size: number of processes.
        together: a number for each sample; in testing those of the same number go to the same process. None: each by
            itself.
        multiple_of: in training the samples of an epoch, on each process, are rounded down to a multiple of it; others
            sit out each epoch.
    """

    def __init__(
        self,
        num_videos: int,
        *,
        training: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        together: Sequence[int] | None = None,
        multiple_of: int = 1,
    ) -> None:
        self.multiple_of = multiple_of
        self.num_videos = num_videos
        self.training = training
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.together = range(num_videos) if together is None else together
        self._seen: Callable[[], int] = lambda: 0

    def __len__(self) -> int:
        if self.training:
            return self.num_videos // self.world_size // self.multiple_of * self.multiple_of
        return len(self._tested())

    def __iter__(self) -> Iterator[SampleKey]:
        if not self.training:
            return iter([(0, index) for index in self._tested()])
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.num_videos)
        mine = order[: len(self) * self.world_size][self.rank :: self.world_size]
        seen = self._seen()
        rest = mine[seen:] if seen < len(mine) else mine
        return iter([(self.epoch, int(index)) for index in rest])

    def _tested(self) -> list[int]:
        return [index for index, number in enumerate(self.together) if number % self.world_size == self.rank]

    def leave_out(self, seen: Callable[[], int]) -> None:
        """Start each pass behind the samples that ``seen`` says a resumed run has had of it.

        It is asked when the pass begins: Lightning makes loaders before it knows where it resumes.
        """
        self._seen = seen

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of every epoch."""
        self.epoch = epoch
