"""The page that every report is written into: it stands by itself, and names cannot break it."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from jinja2 import UndefinedError
from markupsafe import Markup
from PIL import Image

from prompt_video.io.templates import render
from prompt_video.reports import figures
from prompt_video.reports.document import Code, Document, Facts, Fold, Note, Part, Plots, Section
from prompt_video.reports.film_strip import film_strip
from prompt_video.reports.html import html, write_page
from prompt_video.reports.tables import Column, Figure, Link, Table
from prompt_video.reports.titles import begun, column_of, method_order, method_title, title_of

HERE = Path()
TABLE = Table(
    "Results",
    [Column("method", is_text=True), Column("top-1", "%", "higher")],
    [["a", Figure(1.0)], ["b", Figure(2.0)]],
)


def page(*parts: Part, folder: Path = HERE) -> str:
    return html(Document("t", Facts([("seed", "0")]), [Section("s", parts)]), folder)


def test_names_cannot_break_the_page() -> None:
    evil = "<b>a & b\x1b</b>"
    shown = r"&lt;b&gt;a &amp; b\x1b&lt;/b&gt;"
    table = Table(evil, [Column(evil, evil, group=evil)], [[evil]], notes=[evil])
    plot = figures.lines({evil: [(1, 1.0)]}, evil, evil, evil, evil)
    text = page(
        evil,
        Note(evil),
        Code(evil),
        Facts([(evil, evil), ("command", evil)]),
        Fold(evil, []),
        Section(evil, []),
        table,
        Plots([plot]),
    )
    assert "<b>" not in text
    assert text.count(shown) > 15
    assert "<i>kept</i>" in page(Markup("<i>kept</i>"))


def test_a_page_stands_by_itself() -> None:
    curve = figures.lines({"prompts": [(1, 0.1), (2, 0.4)]}, "top-1", "top-1, %")
    matrix = figures.confusion(np.array([[0.75, 0.25], [0.0, 1.0]]), ["walk", "run"], "confusion")
    text = page(Plots([curve, matrix]))
    assert text.lstrip().startswith("<!doctype html>")
    assert text.count("<svg role") == 2
    assert "walk: 25 % taken for run" in text
    assert not re.search(r"""(src|href)=["']https?:|url\(http|<script""", text)


def test_what_a_page_was_not_told_is_no_blank() -> None:
    with pytest.raises(UndefinedError, match="document"):
        render("reports/page.html.jinja")


def test_contents_are_listed_where_there_is_much_to_find() -> None:
    sections = [Section(f"part {number}", [Section("inner", [])]) for number in range(4)]
    text = html(Document("t", Facts([]), sections), HERE)
    links = re.findall(r'<li><a href="#([^"]+)">', text)
    assert len(links) == 8
    assert all(f'id="{link}"' in text for link in links)
    assert "<nav" not in html(Document("t", Facts([]), sections[:3]), HERE)


def test_links_lead_from_where_the_page_lies(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "a b" / "1"
    run.mkdir(parents=True)
    facts = Facts([("run folder", [Link("1", run)])])
    write_page(tmp_path / "elsewhere" / "report.html", Document("t", facts, []))
    assert '<a href="../runs/a%20b/1/">1</a>' in (tmp_path / "elsewhere" / "report.html").read_text()


def test_the_best_is_marked_by_figure_and_can_be_told_without_colour() -> None:
    text = page(TABLE)
    assert text.count('class="best"') == 1
    assert "<strong>2.0</strong>" in text
    assert "\\toprule" in text, "every table can be copied into a paper"


def test_a_film_strip_holds_all_frames() -> None:
    frames = torch.randint(0, 256, (3, 3, 1, 1), dtype=torch.uint8).repeat(1, 1, 40, 50)
    kind, content = film_strip(frames).split(",")
    assert kind == "data:image/jpeg;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
    assert shown.shape == (40, 150, 3)
    for number, frame in enumerate(frames):
        middle = shown[20, 50 * number + 25].astype(int)
        assert np.abs(middle - frame[:, 0, 0].numpy()).max() <= 4


def test_more_names_than_colors_still_differ() -> None:
    names = [f"curve {'long ' * 30}{index}" for index in range(len(figures.COLORS) + 1)]
    drawn = figures.lines({name: [(0, 0.0), (1, 1.0)] for name in names}, "t", "y")
    assert [name for _, _, name in drawn.legend] == names, "nothing by which they differ is cut"
    assert len({line[:2] for line in drawn.legend}) == len(names)


def test_lines_lie_where_the_axes_say() -> None:
    drawn = figures.lines({"a": [(0, 0.0), (50, 2.0), (100, 4.0)], "empty": []}, "t", "y").svg
    (points,) = re.findall(r'points="([^"]+)"', drawn)
    (x0, y0), (x1, y1), (x2, y2) = (tuple(map(float, point.split(","))) for point in points.split())
    assert (x1 - x0, y1 - y0) == pytest.approx((x2 - x1, y2 - y1), abs=0.11)
    place = {text: float(x) for x, text in re.findall(r'x="([\d.]+)" y="244.0" text-anchor="middle">([\d.]+)<', drawn)}
    assert place["0"] == x0
    assert place["100"] == x2
    assert "<svg" in figures.lines({}, "t", "y").svg


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.02, 0.021), (3.0, 3.0), (0.0, 0.0), (-5.0, 17_000.0), (94.0, 100.0), (1e-9, 2e-9)]
)
def test_ticks_are_round_and_hold_the_values(low: float, high: float) -> None:
    found = figures.ticks(low, high)
    assert 2 <= len(found) <= 8
    assert found[0] <= low + 1e-12
    assert found[-1] >= high - 1e-12
    assert len({figures.axis_number(tick) for tick in found}) == len(found)


@pytest.mark.parametrize("last", [0, 1, 2, 3, 11, 12, 13, 999])
def test_steps_are_counted_in_whole_numbers(last: int) -> None:
    found = figures.ticks(0.0, float(last), are_whole=True)
    assert found[-1] >= last
    assert 2 <= len(found) <= 8
    assert all(tick.is_integer() for tick in found)


def test_a_confusion_matrix_without_videos_of_a_class_is_drawn() -> None:
    drawn = figures.confusion(np.array([[0.0, 0.0], [1 / 3, 2 / 3]]), ["a", "b"], "t").svg
    assert drawn.count("<title>") == 2
    assert "100 %" in drawn, "the colour bar"


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("test/top1", "top-1, %"),
        ("test/base_all/top1", "top-1 among all names: base, %"),
        ("test/hm", "top-1 among own names: harmonic mean, %"),
        ("test/clip_only/map@0.5", "mAP at overlap: 0.5, %"),
        ("test/map", "mAP, %"),
        ("test/f1", "F1, %"),
        ("test/proposals/ar@1", "proposals: average recall at: 1, %"),
        ("test/t2v/r@1", "text to video: R@1, %"),
        ("test/v2t/median_rank", "video to text: median rank"),
        ("test/split_1/top5", "split 1: top-5, %"),
    ],
)
def test_figures_have_titles_and_units(key: str, title: str) -> None:
    assert column_of(key).full_title == title


def test_logged_figures_and_methods_have_titles() -> None:
    assert title_of("train/loss") == "training loss"
    assert title_of("val/top1") == "top-1 on the validation split"
    assert title_of("val/clip_only/map_avg") == "mAP, average on the validation split"
    assert begun(title_of("val/map")) == "mAP on the validation split"
    assert begun(title_of("val/top1")) == "Top-1 on the validation split"
    assert method_title("frozen_clip") == "zero-shot, bare names"
    assert method_title("my_own") == "my own"
    assert sorted(["my_own", "prompts", "frozen_templates"], key=method_order) == [
        "frozen_templates",
        "prompts",
        "my_own",
    ]
