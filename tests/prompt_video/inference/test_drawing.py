"""Drawings of notebooks: where things are, and that no name breaks out of them."""

import re
from xml.etree import ElementTree

import pytest

from prompt_video.inference.drawing import WIDTH, Bar, curves, timeline

SPACE = "{http://www.w3.org/2000/svg}"


def test_a_curve_goes_from_its_first_moment_to_its_last() -> None:
    drawn = ElementTree.fromstring(curves([0.0, 1.0, 2.0], [[0.0, 1.0, 0.5], [0.5, 0.5, 0.5]], ["<a>", "b & c"], 4.0))
    lines = [
        [tuple(map(float, point.split(","))) for point in one.attrib["points"].split()]
        for one in drawn.iter(f"{SPACE}polyline")
    ]
    assert [len(line) for line in lines] == [3, 3]
    (start, bottom), (_, top), (end, _) = lines[0]
    assert [start, end] == pytest.approx([60, (60 + WIDTH - 8) / 2], abs=0.1)
    assert top < lines[1][0][1] < bottom
    texts = [text.text for text in drawn.iter(f"{SPACE}text")]
    assert {"<a>", "b & c", "1.00", "0.00", "0.0 s", "4.0 s"} <= set(texts)


def test_a_timeline_has_a_bar_a_segment() -> None:
    drawn = ElementTree.fromstring(timeline([Bar(0, 0.0, 1.0), Bar(1, 1.0, 9.0), Bar(1, 2.0, 2.0)], ["a", "b"], 2.0))
    bars = [one.attrib for one in drawn.iter(f"{SPACE}rect")]
    assert [float(bar["x"]) + float(bar["width"]) <= WIDTH for bar in bars[:2]] == [True, True]
    assert float(bars[0]["width"]) == pytest.approx(float(bars[1]["width"]), abs=0.2), (
        "what ends late ends with the video"
    )
    assert float(bars[2]["width"]) == 1


@pytest.mark.parametrize("values", [[[0.5]], [[0.2, 0.2]]])
def test_what_does_not_change_is_drawn_too(values: list[list[float]]) -> None:
    drawn = curves([float(n) for n in range(len(values[0]))], values, ["a"], 0.0)
    assert not re.search("nan|inf", drawn)
