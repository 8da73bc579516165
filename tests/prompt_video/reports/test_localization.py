"""What a localization test shows on its page, from plain data."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from data_modules.annotations.activitynet_format import AnnotatedVideo, Annotation, Detection
from prompt_video.reports.document import Document, Facts, Note, Plots, Section
from prompt_video.reports.html import html
from prompt_video.reports.localization import Shown, timelines, video_parts


@pytest.fixture
def test() -> Shown:
    """Ten videos of ten actions each; in video n, n of them are found."""
    actions = tuple(Annotation("run", 10.0 * place, 10.0 * place + 5) for place in range(10))
    truth = {f"v{number:02d}": AnnotatedVideo(f"v{number:02d}", "test", 100.0, actions) for number in range(1, 11)}
    wrong = Detection("x", 0.0, 1.0, 0.4)
    right = [Detection("run", action.start_sec, action.end_sec, 0.5) for action in actions]
    detections = {video_id: (*right[:number], *[wrong] * (10 - number)) for number, video_id in enumerate(truth, 1)}
    return Shown("learned", detections, truth)


def page(test: Shown) -> str:
    return html(Document("t", Facts([]), [Section("Videos", video_parts(test))]), Path())


def test_videos_are_spread_from_best_to_worst(test: Shown) -> None:
    assert [drawn.title for drawn in timelines(test, 4)] == ["v10", "v07", "v04", "v01"]
    assert [drawn.note for drawn in timelines(test, 2)] == [
        "learned: 10 of 10 found, none wrong",
        "learned: 1 of 10 found, 9 wrong",
    ]
    assert len(timelines(test, 50)) == 10
    assert {drawn.full_score for drawn in timelines(test)} == {0.5}


def test_videos_without_detections_or_annotations(test: Shown) -> None:
    empty = AnnotatedVideo("empty", "test", None, ())
    unseen = AnnotatedVideo("unseen", "test", None, (Annotation("run", 0.0, 1.0),))
    more = replace(test, truth={**test.truth, "empty": empty, "unseen": unseen})
    assert timelines(more, 50)[-1].title == "unseen"
    assert "empty" not in [drawn.title for drawn in timelines(more, 50)]
    nothing = replace(test, truth={"empty": empty}, detections={})
    assert timelines(nothing) == []
    assert video_parts(nothing) == ["No video is annotated."]


def test_a_page_stands_by_itself_with_frames_where_there_are_some(
    test: Shown, tmp_path: Path, make_videos: Callable[[Path, int], Path]
) -> None:
    video = make_videos(tmp_path, 1) / "moving_left" / "0.mp4"
    note, plots = video_parts(replace(test, paths={"v10": video, "v01": tmp_path / "missing.mp4"}))
    assert isinstance(note, Note)
    assert "right when its overlap" in note.text
    assert isinstance(plots, Plots)
    assert [plot.svg.count("data:image/png;base64,") for plot in plots.plots] == [12, *[0] * 7]
    assert not any("http" in plot.svg.replace("http://www.w3.org", "") for plot in plots.plots)


def test_names_cannot_break_the_report() -> None:
    name = "<script>alert(1)</script>"
    truth = {name: AnnotatedVideo(name, "test", 9.0, (Annotation(name, 0.0, 5.0),))}
    text = page(Shown(name, {name: [Detection(name, 0.0, 5.0, 0.5)]}, truth))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
