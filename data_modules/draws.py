"""Which sample comes when: the same on every machine, and exact when a run is resumed in the middle of an epoch."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, DistributedSampler

from data_modules.batch import Batch

Draw = tuple[int, int]  # (epoch, index): all that the chance in a sample depends on, besides the seed


class DrawSampler(DistributedSampler[Any]):
    """Draws for one process: shuffled alike on all of them, no draw handed out twice.

    It is a ``DistributedSampler`` so that Lightning leaves it in place and tells it the epoch.

    Args:
        num_videos: videos in the split.
        training: shuffle anew each epoch, and give all processes equally many (a remainder smaller than the number
            of processes sits out that epoch). Otherwise the given order, every video once over all processes.
        seed: of the order.
        rank: this process.
        world_size: number of processes.
    """

    def __init__(self, num_videos: int, *, training: bool, seed: int = 0, rank: int = 0, world_size: int = 1) -> None:
        self.num_videos = num_videos
        self.training = training
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.skip = 0  # draws at the start of the next pass that a resumed run has already seen

    def __len__(self) -> int:
        if self.training:
            return self.num_videos // self.world_size
        return len(range(self.rank, self.num_videos, self.world_size))

    def __iter__(self) -> Iterator[Draw]:
        if not self.training:
            return iter([(0, index) for index in range(self.rank, self.num_videos, self.world_size)])
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.num_videos)
        mine = order[: len(self) * self.world_size][self.rank :: self.world_size]
        return iter([(self.epoch, int(index)) for index in mine[self.skip :]])

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of every epoch."""
        self.epoch = epoch


class ResumableLoader(DataLoader[Batch]):
    """A loader whose place in the epoch goes into Lightning's checkpoints."""

    sampler: DrawSampler
    _epoch: int = 0
    _seen: int = 0

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a generator counts what has been handed out
        resumed = self._seen if self._seen < len(self) and self._epoch == self.sampler.epoch else 0
        self.sampler.skip = resumed * (self.batch_size or 1)
        batches = super().__iter__()
        self._epoch, self._seen = self.sampler.epoch, resumed
        for batch in batches:
            self._seen += 1
            yield batch
        self.sampler.skip = 0

    def state_dict(self) -> dict[str, int]:
        """Epoch and number of batches handed out."""
        return {"epoch": self._epoch, "seen": self._seen}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on behind what had been handed out."""
        self._epoch, self._seen = state["epoch"], state["seen"]
