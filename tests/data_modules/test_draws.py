import pytest

from data_modules.draws import DrawSampler


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


@pytest.mark.parametrize("seen", [0, 3, 6, 9])
def test_a_resumed_epoch_goes_on_where_it_stopped_and_the_next_is_whole(seen: int) -> None:
    unbroken, resumed = DrawSampler(10, training=True, seed=4), DrawSampler(10, training=True, seed=4)
    for epoch, skipped in ((2, seen), (3, 0)):
        unbroken.set_epoch(epoch)
        resumed.set_epoch(epoch)
        resumed.leave_out(lambda skipped=skipped: skipped)  # type: ignore[misc]
        assert list(resumed) == list(unbroken)[skipped:]


def test_an_epoch_that_was_finished_is_not_skipped() -> None:
    sampler = DrawSampler(10, training=True)
    sampler.leave_out(lambda: 12)
    assert len(list(sampler)) == 10
