"""What controls mean, in sentences that are made from their figures."""

from typing import Any

import pytest

from prompt_video.reports.controls import control_parts, control_sentences, read_controls
from prompt_video.reports.document import Document, Facts, Fold, Section
from prompt_video.reports.exports import markdown
from prompt_video.reports.tables import Table

LOOKS = {"in_order": 0.979, "shuffled": 0.575, "reversed": 0.233, "one_frame": 0.131, "nonsense_names": 0.004}


def results_of(figures: dict[str, float], test: str = "", videos: int = 480, **about: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    place = f"controls/{test}/" if test else "controls/"
    metrics = {f"{place}{control}/top1": value for control, value in figures.items()}
    return {"metrics": metrics, "samples": {test or "test": {"used": videos, "dropped": 0}}, "controls": about}


@pytest.mark.parametrize(
    ("figures", "videos", "sentence"),
    [
        (
            LOOKS,
            480,
            "The model looks at the order of frames: 97.9 % in order, 57.5 % shuffled, 23.3 % reversed; what runs"
            " backwards is taken for something else. The middle frame alone has 13.1 %: the others are worth 84.8"
            " points. It reads the names of classes: with made-up ones it has 0.4 %.",
        ),
        (
            {"in_order": 0.5, "shuffled": 0.2, "reversed": 0.49},
            10_000,
            "The model looks at the order of frames: 50.0 % in order, 20.0 % shuffled, 49.0 % reversed; what "
            "follows on what counts, not in which direction.",
        ),
        (
            {"in_order": 0.5, "shuffled": 0.2, "reversed": 0.2},
            10_000,
            "The model looks at the order of frames: 50.0 % in order, 20.0 % shuffled, 20.0 % reversed; what "
            "follows on what counts.",
        ),
        (
            {"in_order": 0.7, "shuffled": 0.71, "reversed": 0.69, "one_frame": 0.695},
            480,
            "The model does not look at the order of frames, or this test does not ask for it: 70.0 % in order, "
            "71.0 % shuffled, 69.0 % reversed. One frame is enough: the middle one alone has 69.5 %.",
        ),
        (
            {"in_order": 0.7, "nonsense_names": 0.65, "chance": 0.02},
            480,
            "The names of classes hardly count: with made-up ones it has 65.0 %, and chance is 2.0 %.",
        ),
        (
            {"in_order": 0.14, "shuffled": 0.14, "reversed": 0.14, "one_frame": 0.14, "chance": 0.125},
            40,
            "It cannot be told from chance, 14.0 % against 12.5 %: no control says more.",
        ),
        (
            {"in_order": 0.7, "overlapping_classes": 0.8, "other_classes": 0.5},
            480,
            "Classes that are called as one of training (the same or nearly the same name: nine in ten letters "
            "equal, equal words after stemming, or all words of the one among those of the other) have 80.0 %, "
            "the others 50.0 %.",
        ),
    ],
)
def test_sentences(figures: dict[str, float], videos: int, sentence: str) -> None:
    assert control_sentences(results_of(figures, videos=videos)) == [sentence]


def test_a_small_test_says_less() -> None:
    figures = {"in_order": 0.7, "shuffled": 0.62, "reversed": 0.66}
    assert "does not look" in control_sentences(results_of(figures, videos=100))[0]
    assert "looks at the order" in control_sentences(results_of(figures, videos=10_000))[0]
    assert "looks at the order" in control_sentences({"metrics": results_of(figures)["metrics"]})[0], "unknown number"


def test_one_table_for_several_tests_with_spread_and_what_was_left_out() -> None:
    one, other = results_of(LOOKS, "base"), results_of({"in_order": 0.5, "shuffled": 0.5, "reversed": 0.5}, "novel")
    results = {
        "metrics": {"test/top1": 0.9, **one["metrics"], **other["metrics"]},
        "confidence": {"controls/base/shuffled/top1": {"std": 0.01, "trials": 3}},
        "controls": {"left_out": "made-up names are left out: x", "overlapping": {"novel": {"a": "b"}}},
    }
    assert read_controls(results["metrics"])["novel"] == {
        c: {"top1": 50.0} for c in ("in_order", "shuffled", "reversed")
    }
    base, novel, left_out, table, fold = control_parts(results)
    assert isinstance(base, str)
    assert isinstance(novel, str)
    assert base.startswith("base: The model looks")
    assert novel.startswith("novel: The model does not look")
    assert left_out == "Made-up names are left out: x."
    assert isinstance(table, Table)
    assert table.texts()[1] == ["frames in shuffled order", "57.5 ± 1.0", "50.0"]
    assert table.texts()[-1] == ["made-up class names", "0.4", "–"]  # noqa: RUF001 - as tables have it
    assert isinstance(fold, Fold)
    assert fold.parts == ["a: b"]
    assert "57.5 ± 1.0" in markdown(Document("x", Facts([]), [Section("Controls", control_parts(results))]))


def test_nothing_without_controls() -> None:
    results = {"metrics": {"test/top1": 0.5}, "controls": {"left_out": "x"}}
    assert control_parts(results) == control_sentences(results) == []


def test_what_is_worse_than_the_frozen_model_is_said_so() -> None:
    results = results_of({"in_order": 0.3, "nonsense_names": 0.1}, "novel")
    results["metrics"]["test/novel/frozen_top1"] = 0.4
    told = "novel: What was learned is worse than the frozen model alone: 30.0 % against 40.0 %. It reads"
    assert control_sentences(results)[0].startswith(told)
