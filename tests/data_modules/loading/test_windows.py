from itertools import pairwise

import numpy as np
import pytest

from data_modules.errors import InputError
from data_modules.loading.windows import SlidingWindows, WholeVideo, Window, Windows

SLIDING = [
    SlidingWindows(num_frames=8, overlap=0.5),
    SlidingWindows(num_frames=8, overlap=0.0),
    SlidingWindows(num_frames=7, overlap=0.3),
    SlidingWindows(num_frames=9, overlap=0.8),
    SlidingWindows(num_frames=2, overlap=0.9),
    SlidingWindows(num_frames=256, overlap=0.5),
]
RATES = [0.3, 1.0, 10.0, 12.0, 24000 / 1001]


def lengths(windows: Windows) -> list[int]:
    """Frames of a video: shorter than a window, just one window, a frame more, and many windows."""
    size = windows.num_frames
    return [1, size - 1, size, size + 1, size + 2, 2 * size - 1, 2 * size, 3 * size + 1, 10 * size + 3]


def sees(window: Window, moment_sec: float) -> bool:
    return window.origin_sec - 1e-9 <= moment_sec <= window.end_sec + 1e-9


def answers(window: Window, moment_sec: float) -> bool:
    return window.own_sec[0] <= moment_sec < window.own_sec[1]


@pytest.mark.parametrize("windows", SLIDING, ids=SlidingWindows.describe)
@pytest.mark.parametrize("frame_rate", RATES)
def test_every_moment_is_seen_and_answered_for_by_one_window(windows: SlidingWindows, frame_rate: float) -> None:
    rng = np.random.default_rng(0)
    for length in lengths(windows):
        duration_sec = length / frame_rate
        cover = windows.cover(duration_sec, frame_rate)
        ends = [window.end_sec for window in cover]
        assert ends[-1] == pytest.approx(duration_sec)
        assert (ends, [w.origin_sec for w in cover]) == (sorted(ends), sorted(w.origin_sec for w in cover))
        # Moments anywhere, and those at which one window hands over to the next.
        bounds = [bound for window in cover for bound in window.own_sec if 0 <= bound < duration_sec]
        for moment_sec in [0.0, *bounds, *rng.uniform(0, duration_sec, 50).tolist()]:
            (owner,) = [window for window in cover if answers(window, moment_sec)]
            assert sees(owner, moment_sec)
            # It is the one whose middle is nearest.
            away = [abs((window.origin_sec + window.end_sec) / 2 - moment_sec) for window in cover]
            assert away[cover.index(owner)] == pytest.approx(min(away))
        # An end that an annotation has outside of the video has an owner too.
        assert [answers(window, -5.0) for window in cover] == [True] + [False] * (len(cover) - 1)
        assert [answers(window, duration_sec + 5) for window in cover] == [False] * (len(cover) - 1) + [True]


@pytest.mark.parametrize("windows", SLIDING, ids=SlidingWindows.describe)
@pytest.mark.parametrize("frame_rate", RATES)
def test_frames_lie_on_the_grid_of_the_video(windows: SlidingWindows, frame_rate: float) -> None:
    for length in lengths(windows):
        cover = windows.cover(length / frame_rate, frame_rate)
        grid = (np.arange(length) + 0.5) / frame_rate
        for window in cover:
            assert window.frame_sec == 1 / frame_rate
            assert window.num_frames == min(length, windows.num_frames)
            first = round(window.origin_sec * frame_rate)
            np.testing.assert_allclose(window.moments_sec, grid[first : first + window.num_frames], rtol=1e-12)


@pytest.mark.parametrize(
    ("length", "expected"), [(1, 1), (7, 1), (8, 1), (9, 2), (12, 2), (13, 3), (16, 3), (800, 199)]
)
def test_no_more_windows_than_the_overlap_asks_for(length: int, expected: int) -> None:
    cover = SlidingWindows(num_frames=8, overlap=0.5).cover(length / 10, 10.0)
    assert len(cover) == expected
    starts = [round(window.origin_sec * 10) for window in cover]
    steps = [after - before for before, after in pairwise(starts)]
    assert all(1 <= step <= 4 for step in steps)
    assert not steps or max(steps) - min(steps) <= 1


@pytest.mark.parametrize("part_of_a_frame", [-0.49, -0.2, 0.2, 0.49])
def test_a_video_that_ends_between_two_frames(part_of_a_frame: float) -> None:
    cover = SlidingWindows(num_frames=8).cover((50 + part_of_a_frame) / 10, 10.0)
    assert cover[-1].end_sec == pytest.approx(5.0)
    assert SlidingWindows(num_frames=8).cover(0.001, 10.0)[0].num_frames == 1


@pytest.mark.parametrize("duration_sec", [0.1, 7.3, 7200.0])
def test_the_whole_video(duration_sec: float) -> None:
    (window,) = WholeVideo(num_frames=10).cover(duration_sec, 25.0)
    assert (window.origin_sec, window.num_frames) == (0.0, 10)
    assert window.end_sec == pytest.approx(duration_sec)
    assert window.own_sec == (-np.inf, np.inf)
    edges = np.linspace(0, duration_sec, 11)
    np.testing.assert_allclose(window.moments_sec, (edges[1:] + edges[:-1]) / 2)
    assert WholeVideo(num_frames=10).draw(duration_sec, 25.0, window, np.random.default_rng(0)) == window


@pytest.mark.parametrize("windows", SLIDING, ids=SlidingWindows.describe)
def test_drawn_windows_are_near_their_place_and_in_the_video(windows: SlidingWindows) -> None:
    frame_rate = 12.0
    stride = max(1, round(windows.num_frames * (1 - windows.overlap)))
    for length in lengths(windows):
        for number, near in enumerate(windows.cover(length / frame_rate, frame_rate)[:12]):
            drawn = [windows.draw(length / 12, frame_rate, near, np.random.default_rng((number, k))) for k in range(9)]
            again = windows.draw(length / 12, frame_rate, near, np.random.default_rng((number, 8)))
            assert again == drawn[-1]
            for window in drawn:
                start = window.origin_sec * frame_rate
                assert start == pytest.approx(round(start))
                assert 0 <= round(start) <= length - window.num_frames
                assert abs(start - near.origin_sec * frame_rate) <= stride // 2 + 1e-9
                assert (window.num_frames, window.frame_sec) == (near.num_frames, near.frame_sec)


def test_every_start_near_a_place_is_drawn() -> None:
    windows, rng = SlidingWindows(num_frames=8), np.random.default_rng(0)
    near = windows.cover(10.0, 10.0)[5]
    starts = {round(windows.draw(10.0, 10.0, near, rng).origin_sec * 10) for _ in range(200)}
    place = round(near.origin_sec * 10)
    assert starts == set(range(place - 2, place + 3))


@pytest.mark.parametrize("overlap", [-0.1, 1.0, 1.5, float("nan")])
def test_overlaps_that_cannot_be(overlap: float) -> None:
    with pytest.raises(InputError, match=r"data\.windows: overlap must be 0 or more and less than 1"):
        SlidingWindows(overlap=overlap)


@pytest.mark.parametrize("kind", [SlidingWindows, WholeVideo])
def test_a_window_has_two_frames_at_least(kind: type[SlidingWindows] | type[WholeVideo]) -> None:
    with pytest.raises(InputError, match=r"data\.windows: num_frames must be 2 or more, not 1"):
        kind(num_frames=1)


def test_words() -> None:
    assert SlidingWindows(256, 0.25).describe() == "windows of 256 frames, 25% overlapping"
    assert WholeVideo(768).describe() == "768 frames spread over each video"


@pytest.mark.parametrize("windows", [*SLIDING, WholeVideo(10)], ids=lambda windows: windows.describe())
def test_a_late_first_frame_moves_the_windows(windows: SlidingWindows | WholeVideo) -> None:
    early, late = windows.cover(7.5, 8.0), windows.cover(10.5, 8.0, 3.0)
    for one, other in zip(early, late, strict=True):
        np.testing.assert_allclose(other.moments_sec, one.moments_sec + 3.0)
        assert other.own_sec == (one.own_sec[0] + 3.0, one.own_sec[1] + 3.0)
        drawn = windows.draw(7.5, 8.0, one, np.random.default_rng(5))
        moved = windows.draw(10.5, 8.0, other, np.random.default_rng(5), 3.0)
        np.testing.assert_allclose(moved.moments_sec, drawn.moments_sec + 3.0)
