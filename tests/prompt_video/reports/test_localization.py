"""The report of a localization test, from plain data."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from data_modules.annotations.activitynet_format import AnnotatedVideo, Annotation, Detection
from prompt_video.reports.localization import Localization, Proposals, Scores, timelines, write_report

TIOUS = {0.5: 0.5, 0.75: 0.25, 0.95: 0.125}


def scores(name: str, *classes: float) -> Scores:
    return Scores(name, TIOUS, 0.25, {f"class {number}": ap for number, ap in enumerate(classes)})


@pytest.fixture
def test() -> Localization:
    """Ten videos of ten actions each; in video n, n of them are found."""
    actions = tuple(Annotation("run", 10.0 * place, 10.0 * place + 5) for place in range(10))
    truth = {f"v{number:02d}": AnnotatedVideo(f"v{number:02d}", "test", 100.0, actions) for number in range(1, 11)}
    wrong = Detection("x", 0.0, 1.0, 0.4)
    right = [Detection("run", action.start_sec, action.end_sec, 0.5) for action in actions]
    detections = {video_id: (*right[:number], *[wrong] * (10 - number)) for number, video_id in enumerate(truth, 1)}
    rows = [scores("clip_only", 0.75, 0.125), scores("frozen", 0.5, 0.25), scores("with_external", 1.0, 1.0)]
    return Localization(rows, detections, truth)


@pytest.fixture
def sections(tmp_path: Path) -> Callable[[Localization], dict[str, str]]:
    """The sections of a report on one test, by their headings."""

    def read(test: Localization) -> dict[str, str]:
        write_report(tmp_path / "report.html", "t", "about", {"test": test})
        html = (tmp_path / "report.html").read_text(encoding="utf-8")
        return dict(re.findall(r"<section><h2>(.*?)</h2>(.*?)</section>", html, re.DOTALL))

    return read


Sections = Callable[[Localization], dict[str, str]]


def test_one_row_for_each_way_to_score(test: Localization, sections: Sections) -> None:
    html = sections(test)["Mean average precision, %"]
    assert html.index("clip_only") < html.index("frozen") < html.index("with_external")
    for cell in ("<th>0.5</th>", "<th>0.95</th>", "<td>50.0</td>", "<td>12.5</td>", "<td>25.0</td>"):
        assert cell in html
    assert "which knows all classes" in html


def test_videos_are_spread_from_best_to_worst(test: Localization) -> None:
    assert [drawn.title for drawn in timelines(test, 4)] == ["v10", "v07", "v04", "v01"]
    assert [drawn.note for drawn in timelines(test, 2)] == [
        "clip_only: 10 of 10 found, none wrong",
        "clip_only: 1 of 10 found, 9 wrong",
    ]
    assert len(timelines(test, 50)) == 10
    assert {drawn.full_score for drawn in timelines(test)} == {0.5}


def test_videos_without_detections_or_annotations(test: Localization, sections: Sections) -> None:
    empty = AnnotatedVideo("empty", "test", None, ())
    unseen = AnnotatedVideo("unseen", "test", None, (Annotation("run", 0.0, 1.0),))
    more = replace(test, truth={**test.truth, "empty": empty, "unseen": unseen})
    assert timelines(more, 50)[-1].title == "unseen"
    assert "empty" not in [drawn.title for drawn in timelines(more, 50)]
    nothing = replace(test, truth={"empty": empty}, detections={})
    assert timelines(nothing) == []
    assert "No video is annotated" in sections(nothing)["Videos"]


def test_proposals_are_there_when_they_were_measured(test: Localization, sections: Sections) -> None:
    assert list(sections(test)) == ["Mean average precision, %", "Classes", "Videos"]
    measured = replace(test, proposals=Proposals({1: 0.125, 100: 0.5}, 0.375, [(1, 0.125), (100, 0.5)]))
    html = sections(measured)["Proposals: average recall, %"]
    for cell in ("<th>100</th>", "<td>50.0</td>", "<td>37.5</td>"):
        assert cell in html
    assert html.count("<svg") == 1
    without = replace(test, proposals=Proposals({1: 0.125}, 0.375))
    assert "<svg" not in sections(without)["Proposals: average recall, %"]


def test_of_many_classes_the_best_and_the_worst_are_drawn(test: Localization, sections: Sections) -> None:
    test = replace(test, truth={})
    few = sections(test)["Classes"]
    assert few.count("<svg") == 1
    assert "class 1" in few
    many = replace(test, scores=[scores("clip_only", *(number / 100 for number in range(60)))])
    html = sections(many)["Classes"]
    assert html.count("<svg") == 2
    assert "class 59<" in html
    assert "class 0<" in html
    assert "class 30<" not in html
    zero = replace(test, scores=[scores("clip_only", 0.0)])
    assert sections(zero)["Classes"].count("<svg") == 1


def test_a_page_stands_by_itself_with_frames_where_there_are_some(
    test: Localization, tmp_path: Path, make_videos: Callable[[Path, int], Path]
) -> None:
    video = make_videos(tmp_path, 1) / "moving_left" / "0.mp4"
    shown = replace(test, paths={"v10": video, "v01": tmp_path / "missing.mp4"})
    path = tmp_path / "new" / "report.html"
    write_report(path, "THUMOS14 <50/50>", "lead & more", {"base": shown, "novel": test})
    html = path.read_text(encoding="utf-8")
    assert '<h1>THUMOS14 &lt;50/50&gt;</h1>\n<p class="soft">lead &amp; more</p>' in html
    assert "<h2>base: Videos</h2>" in html
    assert "<h2>novel: Videos</h2>" in html
    assert html.count("data:image/png;base64,") == 12
    assert 'src="http' not in html
    assert 'href="http' not in html.replace('xlink:href="#', "")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_names_cannot_break_the_report(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    truth = {name: AnnotatedVideo(name, "test", 9.0, (Annotation(name, 0.0, 5.0),))}
    row = Scores(name, TIOUS, 0.25, {name: 0.5})
    test = Localization([row], {name: [Detection(name, 0.0, 5.0, 0.5)]}, truth)
    write_report(tmp_path / "report.html", name, name, {name: test, "b": test})
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
