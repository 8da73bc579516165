import pytest

from data_modules.loading.sample_keys import KeySampler


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_processes_share_an_epoch_without_overlap(world_size: int) -> None:
    shares = [list(KeySampler(10, training=True, rank=r, world_size=world_size)) for r in range(world_size)]
    assert len({len(share) for share in shares}) == 1
    indices = [index for share in shares for _, index in share]
    assert len(set(indices)) == len(indices) == 10 // world_size * world_size


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_every_test_video_comes_exactly_once(world_size: int) -> None:
    shares = [list(KeySampler(10, training=False, rank=r, world_size=world_size)) for r in range(world_size)]
    assert sorted(index for share in shares for _, index in share) == list(range(10))
    assert [len(KeySampler(10, training=False, rank=r, world_size=world_size)) for r in range(world_size)] == [
        len(share) for share in shares
    ]


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        sampler = KeySampler(50, training=True, seed=seed)
        sampler.set_epoch(epoch)
        return [index for _, index in sampler]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


@pytest.mark.parametrize("seen", [0, 3, 6, 9])
def test_a_resumed_epoch_goes_on_where_it_stopped_and_the_next_is_whole(seen: int) -> None:
    unbroken, resumed = KeySampler(10, training=True, seed=4), KeySampler(10, training=True, seed=4)
    for epoch, skipped in ((2, seen), (3, 0)):
        unbroken.set_epoch(epoch)
        resumed.set_epoch(epoch)
        resumed.leave_out(lambda skipped=skipped: skipped)  # type: ignore[misc]
        assert list(resumed) == list(unbroken)[skipped:]


def test_an_epoch_that_was_finished_is_not_skipped() -> None:
    sampler = KeySampler(10, training=True)
    sampler.leave_out(lambda: 12)
    assert len(list(sampler)) == 10


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
def test_tested_draws_that_belong_together_go_to_one_process_in_their_order(world_size: int) -> None:
    videos = [0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 4]
    shares = [
        [index for _, index in KeySampler(11, training=False, rank=r, world_size=world_size, together=videos)]
        for r in range(world_size)
    ]
    assert sorted(index for share in shares for index in share) == list(range(11))
    assert all(share == sorted(share) for share in shares)
    owners = {(videos[index], rank) for rank, share in enumerate(shares) for index in share}
    assert len(owners) == 5
    lengths = [
        len(KeySampler(11, training=False, rank=r, world_size=world_size, together=videos)) for r in range(world_size)
    ]
    assert lengths == [len(share) for share in shares]


def test_in_training_windows_of_one_video_are_spread_over_the_processes() -> None:
    alone = [list(KeySampler(10, training=True, rank=r, world_size=2)) for r in range(2)]
    assert [list(KeySampler(10, training=True, rank=r, world_size=2, together=[0] * 10)) for r in range(2)] == alone


def test_the_last_partial_batch_sits_out_other_videos_each_epoch() -> None:
    sampler = KeySampler(3570, training=True, seed=1, multiple_of=64)
    assert len(sampler) == 55 * 64
    left_out = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        seen = {index for _, index in sampler}
        assert len(seen) == 55 * 64
        left_out.append(set(range(3570)) - seen)
    assert left_out[0] != left_out[1]
    sampler.leave_out(lambda: 55 * 64)  # of the whole epoch before, not 50 more draws of this one
    assert len(list(sampler)) == 55 * 64
    assert len(KeySampler(3570, training=True, world_size=2, multiple_of=64)) == 27 * 64
    assert len(KeySampler(3570, training=False, multiple_of=64)) == 3570
