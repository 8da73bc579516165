"""Display order and spans on hand-made tables of packets."""

from collections.abc import Sequence

import numpy as np
import pytest

from data_modules.video.timeline import NO_STAMP, Packets, Span, Timeline, spans


def table(pts: Sequence[int | None], keys: Sequence[int] = (0,), **changes: object) -> Packets:
    stamps = np.array([NO_STAMP if stamp is None else stamp for stamp in pts], dtype=np.int64)
    place = np.arange(len(pts))
    columns: dict[str, object] = {
        "pts": stamps,
        "dts": place,
        "duration": np.ones_like(place),
        "is_key": np.isin(place, keys),
        "displayed": np.ones(len(pts), dtype=np.bool_),
        "tick_sec": 0.5,
        "stamped": True,
    }
    return Packets(**(columns | changes))  # type: ignore[arg-type]


def test_order_by_stamps() -> None:
    display = table([10, 14, 12, 11]).display()
    assert display is not None
    assert display.order.tolist() == [0, 3, 2, 1]
    assert display.timeline.times_sec.tolist() == [0, 0.5, 1, 2]
    assert display.timeline.duration_sec == 2.5
    assert display.ranks(4).tolist() == [0, 3, 2, 1]


@pytest.mark.parametrize(
    "packets",
    [
        table([0, None, 2]),
        table([0, 2, 2, 1]),
        table([0, 2, 1], keys=[1]),
        table([2, 4, 1]),  # shown before the first key frame
        table([0, 1, 2]),  # B-frames are announced, but no stamp tells of any
        table([0, 2, 1], stamped=False),
    ],
)
def test_what_is_not_trusted(packets: Packets) -> None:
    assert packets.display() is None


def test_mpeg4_without_display_times() -> None:
    bidirectional = np.array([False, False, True, True, False, True])
    display = table([1, 3, 2, 4, 6, 5], stamped=False, bidirectional=bidirectional).display()
    assert display is not None
    assert display.order.tolist() == [0, 2, 3, 1, 5, 4]
    assert display.timeline.times_sec.tolist() == [0, 0.5, 1, 1.5, 2, 2.5]


def test_hidden_packets_are_no_frames() -> None:
    display = table([-1, 2, 0, 1], displayed=np.array([False, True, True, True])).display()
    assert display is not None
    assert display.order.tolist() == [2, 3, 1]


def test_the_order_of_output() -> None:
    raw = table([None] * 3, dts=np.full(3, NO_STAMP)).display_of_output([0, 2, 1], frame_rate=25.0)
    assert raw.order.tolist() == [0, 2, 1]
    assert raw.timeline.times_sec.tolist() == [0, 0.04, 0.08]
    assert table([0, 2, 1]).display_of_output([0, 1, 2], 25.0).order.tolist() == [0, 2, 1]  # own stamps outrank it
    assert table([0, 1, 2]).display_of_output([0, 2, 1], 25.0).order.tolist() == [0, 2, 1]  # copies of dts do not


def test_what_a_cut_may_lose() -> None:
    assert table([0, 4, 2, 3, 6], keys=[1]).decodable.tolist() == [False, True, False, False, True]
    assert table([0, 2, 1]).decodable.all()


def test_spans() -> None:
    is_key = np.isin(np.arange(12), [0, 4, 8])
    ranks = np.arange(12)
    assert spans(is_key, ranks, [2, 1]) == [Span(0, 2)]
    assert spans(is_key, ranks, [2, 6, 11]) == [Span(0, 2), Span(4, 6), Span(8, 11)]
    assert spans(is_key, ranks, [4, 8]) == [Span(4, 4), Span(8, 8)]
    ranks[[4, 5]] = [5, 4]  # packet 5 is shown before key frame 4
    assert spans(is_key, ranks, [5]) == [Span(0, 5)]
    assert spans(is_key, ranks, [1, 4, 5, 9]) == [Span(0, 5), Span(8, 9)]
    ranks[4] = -1  # not displayed: no start
    assert spans(is_key, ranks, [6]) == [Span(0, 6)]


def test_on_screen() -> None:
    timeline = Timeline(np.array([0.0, 0.1, 0.4]), 0.5)
    assert timeline.on_screen([-1.0, 0.0, 0.0999, 0.0999999, 0.1, 0.39, 0.4, 9.0]).tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert timeline.frame_rate == 6
