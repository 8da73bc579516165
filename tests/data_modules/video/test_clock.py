"""Restarts and losses on hand-made stamps."""

from collections.abc import Sequence

import numpy as np

from data_modules.video.clock import losses, one_clock, starts_of_parts
from data_modules.video.timeline import NO_STAMP


def ints(values: Sequence[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def flags(places: Sequence[int], length: int) -> np.ndarray:
    return np.isin(np.arange(length), places)


def starts(pts: Sequence[int], keys: Sequence[int], may_jump: bool = False) -> list[int]:
    no_dts = np.full(len(pts), NO_STAMP)
    return starts_of_parts(ints(pts), no_dts, flags(keys, len(pts)), 0.1, may_jump)


def test_where_a_clock_starts_anew() -> None:
    assert starts([0, 10, 5, 20, 15], [0]) == []
    assert starts([0, 10, 5, 0, 10, 5, 0, 10], [0, 3, 6]) == [3, 6]
    assert starts([0, 10, 5, 9, 20], [0, 3]) == []  # a tenth of a second is disorder
    assert starts([0, 10, 20, 500, 510], [0, 3]) == []  # a gap
    assert starts([0, 10, 20, 500, 510], [0, 3], may_jump=True) == []  # of the display, not of the packets
    stamps = ints([0, 10, 20, 500, 510])
    assert starts_of_parts(stamps, stamps, flags([0], 5), 0.1, may_jump=True) == [3]
    assert starts_of_parts(stamps[::-1].copy(), stamps[::-1].copy(), flags([0], 5), 0.1, False) == [1, 2, 3, 4]


def test_one_part_follows_the_other() -> None:
    pts, dts = ints([100, 120, 110, 7, 27, 17]), ints([90, 100, NO_STAMP, 0, 7, 17])
    on_one, decoded = one_clock(pts, dts, ints([10] * 6), [3])
    assert on_one.tolist() == [100, 120, 110, 130, 150, 140]
    assert decoded.tolist() == [90, 100, NO_STAMP, 123, 130, 140]
    assert one_clock(pts, dts, ints([10] * 6), [])[0].tolist() == pts.tolist()


def test_what_a_break_costs() -> None:
    pts = ints([0, 10, 20, 30, 40, 60, 50, 70])
    keys = flags([0, 5], 8)
    lost, fresh = losses(pts, keys, [], flags([2], 8))
    assert lost.tolist() == [False, False, True, True, True, False, True, False]  # 50 refers to what precedes 60
    assert fresh.tolist() == flags([5], 8).tolist()
    lost, fresh = losses(pts, keys, [], flags([5], 8))
    assert lost.tolist() == [False] * 5 + [True] * 3
    assert not fresh.any()
    assert losses(pts, keys, [5], flags([], 8))[0].tolist() == flags([6], 8).tolist()
