from pathlib import Path

import numpy as np
import pytest
import torch
from jinja2 import UndefinedError

from prompt_video.demo.closed_set import read_confusion, read_curve
from prompt_video.io.templates import render
from prompt_video.reports import figures
from prompt_video.reports.film_strip import film_strip
from prompt_video.reports.page import Example, Table


def test_names_cannot_break_the_page() -> None:
    html = demo_page(
        closed=Table(("class",), [("<b>a & b\x1b</b>",)]),
        examples=[Example("data:image/png;base64,", "<i>", 'say "x"', 0.5)],
    )
    assert r"&lt;b&gt;a &amp; b\x1b&lt;/b&gt;" in html
    assert "<i>" not in html
    assert "is &lt;i&gt;" in html
    assert "say &#34;x&#34;" in html


def test_a_page_stands_by_itself() -> None:
    curve = figures.learning_curves({"prompts": [(1, 0.1), (2, 0.4)]}, "top-1", "top-1")
    matrix = figures.confusion(np.array([[3, 1], [0, 2]]), ["walk", "run"], "confusion")
    html = demo_page(curves=[curve], confusions=[matrix])
    assert html.startswith("<!doctype html>")
    assert html.count("<svg") == 2
    assert "walk" in html
    assert 'src="http' not in html
    assert 'href="http' not in html.replace('xlink:href="#', "")


def test_what_a_page_was_not_told_is_no_blank() -> None:
    with pytest.raises(UndefinedError, match="title"):
        render("reports/page.html.jinja")


def demo_page(**values: object) -> str:
    parts = ("closed", "opened", "located", "retrieved")
    figures = ("timelines", "curves", "examples", "confusions")
    words = ("title", "protocol", "size", "starts_from_closed_set", "num_captions", "examples_of_retrieval")
    return render(
        "demo/report.html.jinja",
        **{
            **dict.fromkeys(parts, Table((), [])),
            **{name: [] for name in figures},
            **dict.fromkeys(words, ""),
            **dict.fromkeys(("seeds", "seconds", "recall"), 1),
            **values,
        },
    )


def test_a_film_strip_holds_all_frames() -> None:
    frames = torch.zeros(3, 3, 4, 5, dtype=torch.uint8)
    assert film_strip(frames).startswith("data:image/png;base64,")


def test_curves_and_confusions_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,train/loss,val/top1\n1,0.5,\n2,,0.25\n3,0.4,\n")
    assert read_curve(tmp_path / "metrics.csv", "train/loss") == [(1, 0.5), (3, 0.4)]
    assert read_curve(tmp_path / "metrics.csv", "val/top1") == [(2, 0.25)]
    assert read_curve(tmp_path / "nowhere.csv", "val/top1") == []
    (tmp_path / "confusion.csv").write_text("truth,walk,run\nwalk,3,1\nrun,0,2\n")
    names, matrix = read_confusion(tmp_path / "confusion.csv")
    assert names == ["walk", "run"]
    assert matrix.tolist() == [[3, 1], [0, 2]]


def test_a_confusion_matrix_without_videos_of_a_class_is_drawn() -> None:
    with np.errstate(all="raise"):
        assert "<svg" in figures.confusion(np.array([[0, 0], [1, 2]]), ["a", "b"], "t")


def test_more_names_than_colors_still_draw() -> None:
    names = [f"curve {index}" for index in range(len(figures.COLORS) + 1)]
    drawn = figures.learning_curves({name: [(0, 0.0), (1, 1.0)] for name in names}, "t", "y")
    assert all(name in drawn for name in names)
    assert "stroke-dasharray" in drawn


def test_names_of_curves_are_drawn_as_they_are() -> None:
    drawn = figures.learning_curves({"_hidden": [(0, 0.0)], "$x_1$": [(0, 1.0)], "empty": []}, "t", "y")
    assert "_hidden" in drawn
    assert "$x_1$" in drawn
    assert "<svg" in figures.learning_curves({}, "t", "y")
