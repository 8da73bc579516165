"""The chart of a sweep shows every mean at its setting, its spread, and what was published."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.comparison.runs import Run
from prompt_video.reports.comparison.setting_chart import setting_plot


def row(
    experiment: str, values: dict[str, Any], top1: Sequence[float], frozen: float = 0.4
) -> tuple[Row, dict[str, Any]]:
    runs = [
        Run(
            Path("run"),
            experiment,
            "m",
            {"metrics": {"test/top1": one, "test/frozen_top1": frozen}},
            {},
            {},
        )
        for one in top1
    ]
    return Row(experiment, str(values), runs), values


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_means_lie_at_their_settings_and_bars_reach_as_far_as_the_spread() -> None:
    name = "model.prompt.init_args"
    settings = {count: f'{{"num_prefix": {count}, "num_suffix": {count}}}' for count in (0, 4, 16)}
    values = {0: (0.5,), 4: (0.5, 0.7), 16: (0.9, 0.9)}
    plot = setting_plot([row("hmdb51_closed", {name: settings[k]}, values[k]) for k in (0, 16, 4)], "test/top1")
    assert plot is not None
    assert plot.title == "Top-1 against vectors before = vectors behind"
    frozen, quoted, measured = (points(found) for found in re.findall(r'points="([^"]*)"', plot.svg))
    assert [label for *_, label in plot.legend] == [
        "measured here", "zero-shot, same videos", "published, this method (W, conditions uncertain)",
    ]  # fmt: skip
    places, heights = zip(*measured, strict=True)
    assert (places[1] - places[0]) / (places[2] - places[0]) == pytest.approx(4 / 16, abs=0.01), (
        "numbers keep distances"
    )
    assert len({y for _, y in frozen}) == len({y for _, y in quoted}) == 1
    pixels = (frozen[0][1] - heights[0]) / (50 - 40)  # of one per cent
    assert (frozen[0][1] - quoted[0][1]) / pixels == pytest.approx(66.4 - 40, abs=0.1)
    assert [(frozen[0][1] - y) / pixels + 40 for y in heights] == pytest.approx([50, 60, 90], abs=0.1)
    high, low = (float(found) for found in re.search(r'd="M[\d.]+ ([\d.]+)V([\d.]+)M', plot.svg).groups())  # type: ignore[union-attr]
    assert (low - high) / pixels == pytest.approx(2 * 14.142, abs=0.2)
    assert plot.svg.count('d="M') == 1 + plot.svg.count('class="grid"'), "one seed, and equal ones, have no bar"


def test_words_are_put_side_by_side_and_other_settings_are_lines() -> None:
    rows = [row("mine", {"a.kind": kind, "b.size": size, "c": 1}, (0.5,), frozen) for kind, size, frozen in
            (("x", 1, 0.1), ("y", 1, 0.2), ("x", 2, 0.3))]  # fmt: skip
    plot = setting_plot(rows, "test/top1")
    assert plot is not None
    assert [label for *_, label in plot.legend] == ["size 1", "size 2"], (
        "the frozen CLIP differs, and none is published"
    )
    assert ">x</text>" in plot.svg
    assert ">y</text>" in plot.svg


def test_nothing_changes() -> None:
    assert setting_plot([row("mine", {"a": 1}, (0.5,))], "test/top1") is None
    assert setting_plot([], "test/top1") is None
    assert setting_plot([row("mine", {"a": 1}, (0.5,)), row("mine", {"a": 2}, (0.5,))], "test/none") is None
