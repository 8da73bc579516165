import numpy as np
import pytest

from data_modules.errors import InputError
from prompt_video.search.spans import Cutting

CUT = Cutting(8.0, 4.0, 4, 2.0)


@pytest.mark.parametrize(
    ("duration_sec", "spans"),
    [
        (0.0, [(0, 0)]),
        (3.0, [(0, 3)]),
        (8.0, [(0, 8)]),
        (9.0, [(0, 8), (1, 9)]),
        (12.0, [(0, 8), (4, 12)]),
        (13.0, [(0, 8), (4, 12), (5, 13)]),
    ],
)
def test_spans(duration_sec: float, spans: list[tuple[float, float]]) -> None:
    assert CUT.spans(duration_sec) == spans


def test_rounding_adds_no_span() -> None:
    spans = Cutting(0.3, 0.1, 4, 10.0).spans(0.3 + 0.1 * 7)
    assert len(spans) == 8
    assert spans[-1] == pytest.approx((0.7, 1.0))


def test_a_span_overlaps_with_no_more_others_than_said() -> None:
    for span, stride, duration in [(8.0, 4.0, 30.0), (8.0, 3.0, 41.5), (5.0, 5.0, 23.0), (8.0, 1.0, 30.3)]:
        cut = Cutting(span, stride, 4, 2.0)
        spans = cut.spans(duration)
        counts = [sum(a < end and start < b for a, b in spans) - 1 for start, end in spans]
        assert max(counts) <= cut.most_overlapping


def test_frames_nearest_to_the_middles_of_equal_parts() -> None:
    times = np.arange(26) / 2 + 0.25
    assert CUT.rows(times, 13.0).tolist()[1] == [10, 14, 18, 22]
    assert CUT.rows(np.array([0.1]), 0.2).tolist() == [[0, 0, 0, 0]]
    chosen = times[CUT.rows(times, 13.0)]
    assert chosen.shape == (3, 4)
    assert np.abs(chosen - np.array([[1, 3, 5, 7], [5, 7, 9, 11], [6, 8, 10, 12]])).max() <= 0.25


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0, 1.0, 4, 2.0), "--span must be"),
        ((8.0, 9.0, 4, 2.0), "--stride must be"),
        ((8.0, 0.0, 4, 2.0), "--stride must be"),
        ((8.0, 4.0, 4, 0.0), "a frame rate greater than 0"),
    ],
)
def test_cuttings_that_cannot_be(values: tuple[float, float, int, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Cutting(*values)


def test_no_span_before_the_first_frame() -> None:
    spans = CUT.spans(16.0, start_sec=3.0)
    assert spans == [(3.0, 11.0), (7.0, 15.0), (8.0, 16.0)]
    assert [(start - 3.0, end - 3.0) for start, end in spans] == CUT.spans(13.0)
    assert CUT.spans(8.0, start_sec=3.0) == [(3.0, 8.0)]
    times = 3.0 + np.arange(26) / 2 + 0.25
    assert CUT.rows(times, 16.0, 3.0).tolist() == CUT.rows(times - 3.0, 13.0).tolist()
