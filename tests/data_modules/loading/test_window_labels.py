"""What a window of an annotated video is trained on: pure functions of `window_dataset`."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from data_modules.batch import Segment, Span, UntrimmedRecord
from data_modules.loading.window_dataset import in_window, trainable
from data_modules.loading.windows import Window


def record(video_id: str, segments: Sequence[tuple[float, float, int]] = (), **spans: Any) -> UntrimmedRecord:  # noqa: ANN401
    return UntrimmedRecord(video_id, Path(video_id), segments=tuple(Segment(*s) for s in segments), **spans)


@pytest.mark.parametrize(
    ("segments", "spans", "kept", "ignored"),
    [
        ([(1.0, 2.0, 3)], {}, [(1.0, 2.0, 3)], []),
        ([(2.0, 1.0, 0), (3.0, 3.0, 0)], {}, [], []),
        ([(8.0, 12.0, 0), (10.0, 11.0, 0), (12.0, 13.0, 0)], {}, [(8.0, 10.0, 0)], []),
        ([(-1.0, 2.0, 0), (-2.0, -1.0, 0), (-2.0, 0.0, 0)], {}, [(0.0, 2.0, 0)], []),
        ([(-5.0, 50.0, 1)], {}, [(0.0, 10.0, 1)], []),
        ([(1.0, 2.0, 0)], {"ambiguous_sec": ((1.5, 3.0),)}, [(1.0, 2.0, 0)], [(1.5, 3.0)]),
        ([(1.0, 2.0, 0), (5.0, 6.0, 1)], {"hidden_sec": ((1.9, 3.0),)}, [(5.0, 6.0, 1)], [(1.9, 3.0), (1.0, 2.0)]),
        ([(1.0, 2.0, 0), (3.0, 4.0, 1)], {"hidden_sec": ((2.0, 3.0),)}, [(1.0, 2.0, 0), (3.0, 4.0, 1)], [(2.0, 3.0)]),
        ([(9.0, 20.0, 0)], {"hidden_sec": ((11.0, 12.0),)}, [(9.0, 10.0, 0)], [(11.0, 12.0)]),
        ([(1.0, 2.0, 0)], {"hidden_sec": ((1.5, 1.5),)}, [], [(1.5, 1.5), (1.0, 2.0)]),
        ([(1.0, 2.0, 0), (1.0, 2.0, 1)], {}, [(1.0, 2.0, 0), (1.0, 2.0, 1)], []),
    ],
)  # fmt: skip
def test_what_can_be_trained_on(
    segments: list[tuple[float, float, int]], spans: dict[str, Any], kept: list[Any], ignored: list[Span]
) -> None:
    result, unclear = trainable(record("a", segments, **spans), duration_sec=10.0)
    assert ([(s.start_sec, s.end_sec, s.target) for s in result], unclear) == (kept, ignored)


@pytest.mark.parametrize(
    ("segment", "kept", "ignored"),
    [
        ((4.0, 6.0), (4.0, 6.0), None),  # whole
        ((3.0, 9.0), (3.0, 9.0), None),  # all of the window
        ((1.0, 11.0), (3.0, 9.0), None),  # more than it
        ((2.0, 4.0), (3.0, 4.0), None),  # just half
        ((1.9, 4.0), None, (3.0, 4.0)),
        ((8.0, 10.0), (8.0, 9.0), None),
        ((8.0, 10.1), None, (8.0, 9.0)),
        ((0.0, 20.0), None, (3.0, 9.0)),
        ((1.0, 3.0), None, None),  # ends where the window begins
        ((9.0, 12.0), None, None),
    ],
)
def test_what_a_window_shows(segment: Span, kept: Span | None, ignored: Span | None) -> None:
    window = Window(3.0, 0.5, 12, (-math.inf, math.inf))  # from 3 to 9 s
    seen, unclear = in_window([Segment(*segment, 5)], [(0.0, 1.0), (8.5, 9.5), (9.0, 10.0)], window)
    assert seen == ([Segment(*kept, 5)] if kept else [])
    assert unclear == [(8.5, 9.5), *([ignored] if ignored else [])]
