"""Sampling against the rules of the paper, by exact counts and by the edges of what can be drawn."""

from typing import Any, cast

import numpy as np
import pytest
from jaxtyping import Float64, Int64

from data_modules.errors import InputError
from data_modules.loading.sampling import Sampler, SegmentSampler, WindowSampler
from data_modules.loading.settings import settings_of


def frames_of(moments: Float64[np.ndarray, "V T"], frame_rate: float) -> Int64[np.ndarray, "V T"]:
    """Frame numbers; every moment must be the centre of a frame."""
    numbers = moments * frame_rate - 0.5
    np.testing.assert_allclose(numbers, numbers.round(), atol=1e-6)
    frames: Int64[np.ndarray, "V T"] = numbers.round().astype(np.int64)
    return frames


def draw(sampler: Sampler, num_frames: int, seed: int = 0, frame_rate: float = 30.0) -> Int64[np.ndarray, " T"]:
    moments = sampler.train(num_frames / frame_rate, frame_rate, np.random.default_rng(seed))
    (frames,) = frames_of(moments, frame_rate)
    return np.asarray(frames)


@pytest.mark.parametrize("frame_rate", [30.0, 25.0, 30000 / 1001, 14.98])
def test_windows_have_one_stride_and_stay_inside(frame_rate: float) -> None:
    for seed in range(200):
        frames = draw(WindowSampler(), 100, seed, frame_rate)
        (stride,) = set(np.diff(frames).tolist())
        assert stride in (1, 2, 3, 4)
        assert 0 <= frames[0] <= frames[-1] < 100


def test_strides_are_drawn_as_often_as_they_stand() -> None:
    strides = [int(np.diff(draw(WindowSampler(), 1000, seed)[:2])[0]) for seed in range(1200)]
    shares = np.bincount(strides, minlength=5)[1:] / len(strides)
    assert shares.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 2, 1 / 6], abs=0.04)


def test_every_window_is_drawn_up_to_the_very_last() -> None:
    starts = [int(draw(WindowSampler(4, (1,)), 7, seed)[0]) for seed in range(400)]
    shares = np.bincount(starts, minlength=4) / len(starts)
    assert shares.tolist() == pytest.approx([0.25] * 4, abs=0.07)
    assert {tuple(draw(WindowSampler(4, (2,)), 8, seed)) for seed in range(50)} == {(0, 2, 4, 6), (1, 3, 5, 7)}


def test_too_short_for_the_stride_means_stride_one() -> None:
    frames = {tuple(draw(WindowSampler(4, (3,)), 9, seed)) for seed in range(200)}
    assert frames == {tuple(range(start, start + 4)) for start in range(6)}


def test_too_short_at_all_repeats_the_last_frame() -> None:
    assert draw(WindowSampler(6), 4).tolist() == [0, 1, 2, 3, 3, 3]
    assert draw(WindowSampler(3), 1).tolist() == [0, 0, 0]
    assert frames_of(WindowSampler(3).test(0.001, 30.0, np.random.default_rng(0)), 30.0).tolist() == [[0, 0, 0]]


def test_test_windows_are_spread_evenly_at_the_median_stride() -> None:
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    (one,) = frames_of(WindowSampler().test(100 / 30, 30.0, rng), 30.0)
    assert one.tolist() == list(range(27, 27 + 46, 3))  # as many frames before as after
    three = frames_of(WindowSampler(num_views=3).test(100 / 30, 30.0, rng), 30.0)
    assert three[:, 0].tolist() == [0, 27, 54]
    assert three[-1, -1] == 99
    assert rng.bit_generator.state == state  # nothing was drawn


@pytest.mark.parametrize(("num_frames", "stride"), [(46, 3), (45, 2), (31, 2), (30, 1), (16, 1)])
def test_test_windows_take_the_widest_stride_that_fits(num_frames: int, stride: int) -> None:
    (view,) = frames_of(WindowSampler().test(num_frames / 30, 30.0, np.random.default_rng(0)), 30.0)
    assert set(np.diff(view).tolist()) == {stride}
    assert 0 <= view[0] <= view[-1] < num_frames


def test_random_views_are_the_training_draws() -> None:
    sampler = WindowSampler(num_views=5, random_views=True)
    views = sampler.test(4.0, 30.0, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(views, np.concatenate([sampler.train(4.0, 30.0, rng) for _ in range(5)]))
    assert len({tuple(view) for view in views}) > 1


def test_a_frame_rate_of_its_own() -> None:
    moments = WindowSampler(4, (1,), frame_rate=10.0).test(2.0, 25.0, np.random.default_rng(0))
    np.testing.assert_allclose(moments, [[0.85, 0.95, 1.05, 1.15]])


def test_segments_hold_one_frame_each() -> None:
    for seed in range(50):
        assert (draw(SegmentSampler(8), 80, seed) // 10).tolist() == list(range(8))
    (middle,) = frames_of(SegmentSampler(8).test(80 / 30, 30.0, np.random.default_rng(0)), 30.0)
    assert middle.tolist() == list(range(5, 80, 10))
    views = frames_of(SegmentSampler(8, num_views=2).test(80 / 30, 30.0, np.random.default_rng(0)), 30.0)
    assert views[:, 0].tolist() == [2, 7]
    assert draw(SegmentSampler(6), 3).tolist() == [0, 0, 1, 1, 2, 2]


RATIOS = [1, 1 / 2, 1 / 3, 1 / 3, 1 / 3, 1 / 4]  # fpsR of src/config.py


class Chance(np.random.Generator):
    """A generator whose numbers are given: places in what they are drawn from, in order."""

    def __init__(self, *shares: float) -> None:
        super().__init__(np.random.PCG64())
        self.shares = iter(shares)

    def choice(self, values: Any) -> Any:  # type: ignore[override]  # noqa: ANN401 - as numpy's
        return values[int(next(self.shares) * len(values))]

    def integers(self, below: int) -> int:  # type: ignore[override]
        assert below >= 1
        return int(next(self.shares) * below)


def released(num_frames: int, chance: Chance, frames: int = 16) -> list[int]:
    """`__getitem__` and `_select_indices` in src/data.py of ju-chen/Efficient-Prompt, its chance put in."""
    if num_frames <= frames:
        return [*range(num_frames), *[num_frames - 1] * (frames - num_frames)]
    ratio = chance.choice(RATIOS)
    start = chance.integers(int(1 / ratio))
    every = np.linspace(start, num_frames - 1, num=round(ratio * num_frames), endpoint=True, dtype=int)
    if len(every) <= frames:
        every = np.linspace(0, num_frames - 1, num=int(num_frames), endpoint=True, dtype=int)
    start = chance.integers(len(every) - frames)
    return cast("list[int]", every[start : start + frames].tolist())


@pytest.mark.parametrize("num_frames", [1, 15, 16, 17, 31, 32, 33, 34, 47, 48, 49, 51, 63, 64, 65, 66, 79, 101, 1000])
def test_linspace_is_the_released_code_to_the_letter(num_frames: int) -> None:
    sampler = WindowSampler(moments="linspace")
    shares = [0.0, 0.2, 0.35, 0.5, 0.7, 0.9, 0.999]
    for drawn in ((a, b, c) for a in shares for b in shares for c in shares):
        moments = sampler.train(num_frames / 30, 30.0, Chance(*drawn))
        assert frames_of(moments, 30.0)[0].tolist() == released(num_frames, Chance(*drawn))


def test_what_linspace_differs_in() -> None:
    views = WindowSampler(moments="linspace", num_views=400, random_views=True).test(
        100 / 30, 30.0, np.random.default_rng(0)
    )
    steps = [set(np.diff(view).tolist()) for view in frames_of(views, 30.0)]
    assert {3, 4} in steps or {2, 3} in steps, "one view has steps of two lengths"
    starts = {int(draw(WindowSampler(4, (1,), moments="linspace"), 7, seed)[0]) for seed in range(100)}
    assert starts == {0, 1, 2}, "the very last window is never drawn"
    assert {tuple(draw(WindowSampler(4, (2,), moments="linspace"), 8, s)) for s in range(50)} == {
        (start, start + 1, start + 2, start + 3) for start in range(4)
    }, "a sped-up video of just as many frames counts as too short"
    assert settings_of(WindowSampler(8, (2, 3), 5.0, 2, True, "linspace")) == {
        "num_frames": 8,
        "strides": [2, 3],
        "frame_rate": 5.0,
        "num_views": 2,
        "random_views": True,
        "moments": "linspace",
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: WindowSampler(num_frames=0),
        lambda: WindowSampler(num_views=0),
        lambda: WindowSampler(strides=()),
        lambda: WindowSampler(strides=(2, 0)),
        lambda: WindowSampler(frame_rate=0.0),
        lambda: WindowSampler(moments="linspace", num_views=2),
        lambda: SegmentSampler(num_frames=0),
    ],
)
def test_wrong_arguments(make: type[Sampler]) -> None:
    with pytest.raises(InputError, match=r"must be|need random_views"):
        make()
