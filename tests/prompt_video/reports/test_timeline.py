"""Timelines: what is drawn where, and that nothing that a name may hold breaks them."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from data_modules.annotations.activitynet_format import Annotation, Detection
from data_modules.errors import BrokenVideoError
from prompt_video.reports.document import Plot
from prompt_video.reports.film_strip import FilmStrip, read_strip
from prompt_video.reports.text_formatting import clock, plain, room, shortened
from prompt_video.reports.timeline import BAND, KINDS, MAX_ROWS, STRONGEST, WEAKEST, timeline_picture, timeline_plot
from prompt_video.reports.timeline_rows import MAX_LEVELS, Kind, Timeline, stack, timeline_rows

TRUTH = (Annotation("run", 2.0, 5.0), Annotation("jump", 1.0, 3.0), Annotation("run", 8.0, 9.0))
DETECTIONS = (
    Detection("run", 2.5, 5.0, 0.5),
    Detection("run", 2.0, 5.0, 0.9),
    Detection("swim", 6.0, 8.0, 0.25),
    Detection("dive", 6.0, 8.0, 0.75),
)


def timeline(**changes: object) -> Timeline:
    given = {"title": "v", "detections": DETECTIONS, "note": "clip_only", "truth": TRUTH, "duration_sec": 10.0}
    return Timeline(**{**given, **changes})  # type: ignore[arg-type]


def texts(plot: Plot) -> list[str]:
    """What a reader can read in a picture and beside it."""
    elements = ElementTree.fromstring(plot.svg).iter("{http://www.w3.org/2000/svg}text")
    return [plot.title, plot.note, *("".join(element.itertext()) for element in elements)]


def mixed(color: str, paper: str, strength: float) -> str:
    """A colour through which the paper shines."""
    pairs = ((int(one[place : place + 2], 16) for one in (color, paper)) for place in (1, 3, 5))
    return "#" + "".join(f"{round(strength * one + (1 - strength) * other):02x}" for one, other in pairs)


def near(picture: Image.Image, color: str) -> Tensor:
    """Where a picture has a colour: (height, width)."""
    wanted = torch.tensor([int(color[place : place + 2], 16) for place in (1, 3, 5)])
    return (torch.from_numpy(np.array(picture)).int() - wanted).abs().amax(-1) < 3


def ends(mask: Tensor, dim: int) -> tuple[int, int]:
    """The first and the last row (0) or column (1) in which something is, more than the edge of a letter."""
    places = (mask.sum(1 - dim) > 8).nonzero()
    return int(places[0]), int(places[-1])


def test_rows_are_the_true_classes_in_time_then_the_detected_ones_best_first() -> None:
    rows = timeline_rows(DETECTIONS, TRUTH)
    assert [row.label for row in rows] == ["jump", "run", "dive", "swim"]
    bars = [(bar.kind, bar.level, bar.score) for bar in rows[1].bars]
    assert bars == [("annotated", 0, None), ("annotated", 0, None), ("right", 1, 0.9), ("wrong", 2, 0.5)]
    assert [row.num_levels for row in rows] == [1, 3, 1, 1]


def test_where_nobody_knows_the_truth_nothing_is_right_or_wrong() -> None:
    kinds = {bar.kind for row in timeline_rows(DETECTIONS, None) for bar in row.bars}
    assert kinds == {"detected"}
    assert {bar.kind for row in timeline_rows(DETECTIONS, []) for bar in row.bars} == {"wrong"}


def test_an_action_annotated_backwards_has_a_row_but_no_bar() -> None:
    (row,) = timeline_rows([], [Annotation("run", 5.0, 3.0)])
    assert (row.label, row.bars, row.num_levels) == ("run", (), 1)


def test_rows_hide_nothing_as_long_as_there_are_enough() -> None:
    spans = [Detection("a", float(start), start + 10.0, 0.5) for start in (0, 5, 10, 2, 4, 30)]
    assert stack(spans, MAX_LEVELS) == [(0, False), (1, False), (0, False), (2, False), (3, False), (0, False)]
    assert stack(spans, 2) == [(0, False), (1, False), (0, False), (1, True), (1, True), (0, False)]


def test_a_picture_says_everything_in_text() -> None:
    found = texts(timeline_plot(timeline()))
    assert {"v", "clip_only", "run", "jump", "swim", "dive", "0.90", "0.50", "0.25", "0.75", "10 s"} <= set(found)
    assert KINDS["annotated"][1] in found


def test_times_lie_on_the_axis() -> None:
    """One action of two fifths of the video, then a detection of a tenth: measured in pixels."""
    picture = timeline_picture(
        timeline(truth=[Annotation("a", 20.0, 60.0)], detections=[Detection("a", 70.0, 80.0, 0.5)], duration_sec=100.0)
    )
    band = near(picture, BAND)
    (top, bottom), (left, right) = ends(band, 0), ends(band, 1)
    second = (right + 1 - left) / 100
    kinds: dict[Kind, tuple[int, int]] = {"annotated": (20, 60), "wrong": (70, 80)}
    for kind, (start, end) in kinds.items():
        first, last = ends(near(picture, KINDS[kind][0])[top:bottom], 1)
        assert first == pytest.approx(left + start * second, abs=3)
        assert last == pytest.approx(left + end * second, abs=3)


def test_the_shade_is_the_score() -> None:
    for full_score, strength in ((0.5, STRONGEST), (1.0, (WEAKEST + STRONGEST) / 2)):
        picture = timeline_picture(
            timeline(truth=None, detections=[Detection("a", 0.0, 9.0, 0.5)], full_score=full_score)
        )
        assert near(picture, mixed(KINDS["detected"][0], BAND, strength)).float().mean() > 0.01


def test_what_is_too_short_for_a_pixel_is_seen() -> None:
    blink = [Detection("a", 3600.0, 3600.1, 0.5)]
    picture = timeline_picture(timeline(truth=None, detections=blink, duration_sec=7200.0))
    top, bottom = ends(near(picture, BAND), 0)
    first, last = ends(near(picture, KINDS["detected"][0])[top:bottom], 1)
    assert 1 <= last - first <= 6


def test_many_classes_are_counted() -> None:
    detections = [Detection(f"class {number}", 1.0, 2.0, 0.9 - number / 100) for number in range(MAX_ROWS + 3)]
    found = texts(timeline_plot(timeline(detections=detections, truth=[])))
    assert "+ 3 more" in found
    assert f"class {MAX_ROWS - 1}" in found
    assert f"class {MAX_ROWS}" not in found


@pytest.mark.parametrize(
    "name", ["$x_1$ \\alpha", "<b>&amp;</b> -->", "体操 🤸 नमस्ते", "a\nb\x00\tc", "x" * 500, "_%s {}"]
)
def test_any_name_can_be_drawn(name: str) -> None:
    named = timeline(title=name, note=name[:40], truth=[Annotation(name, 0.0, 5.0)], detections=[])
    found = texts(timeline_plot(named))
    assert shortened(plain(name), 34) in found
    assert timeline_picture(named).width == 1440


@pytest.mark.parametrize("duration_sec", [None, 0.0, 0.4, 59.0, 7260.0, 200_000.0])
def test_videos_of_any_length(duration_sec: float | None) -> None:
    end = duration_sec or 1.0
    drawn = timeline(duration_sec=duration_sec, truth=(), detections=[Detection("a", 0.0, end, 0.0)])
    ticks = [text for text in texts(timeline_plot(drawn)) if re.fullmatch(r"[\d.]+ s|[\d:]+", text)]
    assert 2 <= len(ticks) <= 14


def test_a_picture_of_nothing() -> None:
    found = texts(timeline_plot(Timeline("v", (), "clip_only", ())))
    assert "nothing annotated, nothing detected" in found


def test_the_same_video_gives_the_same_picture() -> None:
    strip = FilmStrip(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), 10.0)
    assert timeline_plot(timeline(strip=strip)) == timeline_plot(timeline(strip=strip))


def test_frames_stand_over_their_moments() -> None:
    frames = torch.zeros(4, 3, 6, 8, dtype=torch.uint8)
    frames[1, 0] = 255  # red, from a quarter to a half of 8 of 10 seconds
    picture = timeline_picture(timeline(strip=FilmStrip(frames, 8.0), duration_sec=10.0))
    red = near(picture, "#ff0000")
    band = near(picture, BAND)
    (top, bottom), (first, last) = ends(red, 0), ends(red, 1)
    left, right = ends(band, 1)
    assert (first + last) / 2 == pytest.approx(left + 0.3 * (right - left), abs=3)
    assert bottom < ends(band, 0)[0]
    assert (last + 1 - first) / (bottom + 1 - top) == pytest.approx(8 / 6, rel=0.05)


def test_frames_of_a_video_far_shorter_than_annotated_take_no_room() -> None:
    strip = FilmStrip(torch.zeros(12, 3, 9, 16, dtype=torch.uint8), 0.5)
    bare, with_frames = (timeline_picture(timeline(strip=frames, duration_sec=900.0)) for frames in (None, strip))
    assert 0 <= with_frames.height - bare.height < 15


def test_frames_are_read_small_and_from_the_whole_video(
    tmp_path: Path, make_videos: Callable[[Path, int], Path]
) -> None:
    strip = read_strip(make_videos(tmp_path, 1) / "moving_left" / "0.mp4", num_frames=5, height=24)
    assert strip.frames.shape == (5, 3, 24, 24)
    assert strip.duration_sec == pytest.approx(32 / 12)
    assert len({frame.numpy().tobytes() for frame in strip.frames}) == 5
    with pytest.raises(BrokenVideoError):
        read_strip(tmp_path / "nowhere.mp4")


def test_lettering() -> None:
    assert [clock(seconds) for seconds in (0.0, 59.6, 61.0, 3600.0, 36_061.0)] == [
        "0:00",
        "1:00",
        "1:01",
        "1:00:00",
        "10:01:01",
    ]
    tenths = [clock(seconds, tenths=True) for seconds in (0.0, 59.96, 61.24, 3661.5)]
    assert tenths == ["0:00.0", "1:00.0", "1:01.2", "1:01:01.5"]
    assert room("ab体操") == 6
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abc def", 5) == "abc…"
    assert shortened("体操体操", 6) == "体操…"
