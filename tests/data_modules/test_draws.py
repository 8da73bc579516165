from itertools import islice
from typing import Any, cast

import pytest
from torch.utils.data import Dataset

from data_modules.draws import Draw, DrawSampler, ResumableLoader


class Echo(Dataset[Any]):
    def __getitem__(self, draw: Draw) -> Draw:
        return draw


def loader(num_videos: int = 10, batch_size: int = 3) -> ResumableLoader:
    sampler = DrawSampler(num_videos, training=True, seed=4)
    return ResumableLoader(Echo(), batch_size=batch_size, sampler=sampler, collate_fn=list)


def epochs(stream: ResumableLoader, numbers: range) -> list[Any]:
    batches: list[Any] = []
    for epoch in numbers:
        stream.sampler.set_epoch(epoch)
        batches += list(stream)
    return batches


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_an_epoch_without_overlap(world_size: int) -> None:
    shares = [list(DrawSampler(10, training=True, rank=r, world_size=world_size)) for r in range(world_size)]
    assert len({len(share) for share in shares}) == 1
    indices = [index for share in shares for _, index in share]
    assert len(set(indices)) == len(indices) == 10 // world_size * world_size


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_every_test_video_comes_exactly_once(world_size: int) -> None:
    shares = [list(DrawSampler(10, training=False, rank=r, world_size=world_size)) for r in range(world_size)]
    assert sorted(index for share in shares for _, index in share) == list(range(10))
    assert [len(DrawSampler(10, training=False, rank=r, world_size=world_size)) for r in range(world_size)] == [
        len(share) for share in shares
    ]


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = DrawSampler(50, training=True, seed=seed)
        sampler.set_epoch(epoch)
        return [index for _, index in sampler]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


@pytest.mark.parametrize("seen", [1, 2, 4, 5, 7])
def test_a_resumed_loader_goes_on_where_it_stopped(seen: int) -> None:
    unbroken = epochs(loader(), range(3))
    killed = loader()
    stopped_in = (seen - 1) // len(killed)
    epochs(killed, range(stopped_in))
    killed.sampler.set_epoch(stopped_in)
    list(islice(killed, seen - stopped_in * len(killed)))
    state = killed.state_dict()

    resumed = loader()
    resumed.load_state_dict(state)
    whole = state["seen"] == len(resumed)
    rest = epochs(resumed, range(stopped_in + whole, 3))
    assert rest == unbroken[seen:]
    assert cast(int, len(rest)) > 0
