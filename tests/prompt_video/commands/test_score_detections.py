import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from data_modules.errors import InputError
from prompt_video.cli import main as cli
from prompt_video.commands.score_detections import main, parse_tious

CASES = Path(__file__).parents[2] / "data_modules" / "annotations" / "cases"
Json: TypeAlias = dict[str, Any]
Score: TypeAlias = Callable[..., Json]

TRUTH = {
    "one": ("validation", [("Zumba", 0, 10), ("Diving", 20, 30)]),
    "two": ("validation", [("Zumba", 5, 15), ("Zumba", 15, 5)]),
    "none": ("validation", []),
    "other": ("training", [("Surfing", 0, 10)]),
}
FOUND = {
    "one": [("Zumba", 0, 10, 0.9), ("Diving", 0, 10, 0.4), ("Diving", 20, 28, 0.3)],
    "none": [("Zumba", 0, 10, 0.5)],
}
NONE_OUTSIDE = {"predictions_outside_subset": 0, "predictions_of_other_classes": 0}


def truth_file(folder: Path) -> Path:
    database = {
        name: {"subset": subset, "annotations": [{"label": label, "segment": span} for label, *span in rows]}
        for name, (subset, rows) in TRUTH.items()
    }
    path = folder / "truth.json"
    path.write_text(json.dumps({"database": database}))
    return path


@pytest.fixture
def score(tmp_path: Path) -> Score:
    def run(found: dict[str, list[tuple[str, float, float, float]]], *options: str) -> Json:
        results = {
            name: [{"label": label, "segment": span, "score": score} for label, *span, score in rows]
            for name, rows in found.items()
        }
        predictions, out = tmp_path / "found.json", tmp_path / "made" / "out.json"
        predictions.write_text(json.dumps({"results": results}))
        main(["score-detections", str(truth_file(tmp_path)), str(predictions), f"--json={out}", *options])
        report: Json = json.loads(out.read_text())
        return report

    return run


def test_figures_by_hand(score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    report = score(FOUND, "--tiou=0.5,0.9")
    # Zumba: 1 of 3 is found, first. Diving: found second, with a tIoU of 0.8.
    assert report["per_class"] == {
        "Diving": {"ap@0.5": 0.5, "ap@0.9": 0.0, "ap_avg": 0.25},
        "Zumba": pytest.approx({"ap@0.5": 1 / 3, "ap@0.9": 1 / 3, "ap_avg": 1 / 3}),
    }
    figures = report["figures"]
    assert figures["map@0.5"] == pytest.approx(5 / 12)
    assert figures["map_avg"] == pytest.approx((5 / 12 + 1 / 6) / 2)
    # Three different segments; one truth is found at all ten thresholds, another one at seven (0.5 to 0.8).
    assert figures["ar@100"] == pytest.approx((1 + 0.7) / 4)
    assert list(figures) == ["map@0.5", "map@0.9", "map_avg", "ar@1", "ar@10", "ar@100", "auc"]
    assert report["counts"] == {"videos": 3, "instances": 4, "predictions": 4, **NONE_OUTSIDE}
    shown = capsys.readouterr().out
    assert "41.67" in shown
    assert "warning" not in shown
    assert shown.count("Zumba") == 1


def test_predictions_outside_the_subset_are_false_and_said(score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    found = {**FOUND, "other": [("Zumba", 0, 10, 0.95), ("Diving", 1, 2, 0.1)]}
    report = score(found, "--tiou=0.5")
    assert report["per_class"]["Zumba"]["ap@0.5"] == pytest.approx(1 / 6)
    assert report["counts"]["predictions_outside_subset"] == 2
    shown = capsys.readouterr().out
    assert shown.count("warning") == 1
    assert "2 of 6 predictions are in videos outside the subset 'validation'; they count as false" in shown


def test_predictions_in_unknown_videos_are_false_and_said(score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    outside = score({**FOUND, "other": [("Zumba", 0, 10, 0.95), ("Diving", 1, 2, 0.1)]}, "--tiou=0.5")
    capsys.readouterr()
    report = score({**FOUND, "onE": [("Zumba", 0, 10, 0.95)], "x": [("Diving", 1, 2, 0.1)], "y": []}, "--tiou=0.5")
    assert report == outside
    assert report["per_class"]["Zumba"]["ap@0.5"] == pytest.approx(1 / 6)
    shown = " ".join(capsys.readouterr().out.split())
    assert "warning: 2 of 6 predictions are in 3 videos that are not in" in shown
    assert "and count as false positives; the first is 'onE'; did you mean 'one'" in shown


def test_videos_are_known_by_suffix_and_folder(score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    expected = score(FOUND)
    files = {"/data/videos/v_one.mp4": FOUND["one"], "videos/none.webm": FOUND["none"]}
    assert score(files) == expected
    assert "warning" not in capsys.readouterr().out


@pytest.mark.parametrize("case", sorted(CASES.glob("score_det_both-*")), ids=lambda case: case.name)
def test_files_that_once_ended_in_a_traceback(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli(["score-detections", str(case / "gt.json"), str(case / "pred.json"), "--tiou=0.5"])
    said = capsys.readouterr()
    if "AssertionError-17" in case.name:  # a class called nan
        assert code == 0
        assert "25.00" in said.out
    else:
        message = {"AssertionError": "1.7e+308 is that of no video", "UnicodeEncodeError": "is no character"}
        assert code == 1
        assert said.err.count("prompt-video: ") == 1
        assert message[case.name.split("-")[1]] in said.err


def test_classes_of_another_subset_are_proposals_and_said(score: Score, capsys: pytest.CaptureFixture[str]) -> None:
    before = score(FOUND)
    report = score({**FOUND, "one": [*FOUND["one"], ("Surfing", 50, 60, 0.01)]})
    assert report["per_class"] == before["per_class"]
    assert report["figures"]["map_avg"] == before["figures"]["map_avg"]
    assert report["counts"]["predictions_of_other_classes"] == 1
    assert "1 of 5 predictions are of classes without an instance in the subset" in capsys.readouterr().out


def test_another_subset(score: Score) -> None:
    assert score({"other": [("Surfing", 0, 9, 0.5)]}, "--subset=training")["figures"]["map_avg"] == pytest.approx(0.9)
    with pytest.raises(InputError, match=r"'test' has no annotations; .* one that has: training, validation\."):
        score(FOUND, "--subset=test")


def test_no_predictions(score: Score) -> None:
    assert set(score({})["figures"].values()) == {0.0}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            {"a/one.mp4": [], "b/one.webm": []},
            r"found.json: 'a/one.mp4' and 'b/one.webm' are both of the video 'one'; score one of them",
        ),
        (
            {"one": [("Zumba", 0, 1, 0.5), ("Divin", 0, 1, 0.5)]},
            r"video 'one', entry 1: 'Divin' is no class of .*truth.json; did you mean 'Diving'\?",
        ),
        ({"one": [("Zumba", 3, 1, 0.5)]}, "video 'one', entry 0: a segment must not"),
    ],
)
def test_predictions_that_cannot_be_scored(score: Score, found: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        score(found)
    assert not (tmp_path / "made").exists()


def test_thresholds() -> None:
    assert parse_tious("0.5") == (0.5,)
    assert parse_tious("0.75,0.5,0.95") == (0.5, 0.75, 0.95)
    assert parse_tious("0.5:0.05:0.95") == pytest.approx([0.5 + 0.05 * step for step in range(10)])
    assert parse_tious("0.3:0.1:0.7") == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7])
    assert parse_tious("0.5:0.1:0.5") == (0.5,)


@pytest.mark.parametrize(
    "text", ["", "half", "0", "0.5,1.5", "nan", "0.5:0.95", "0.5:0:0.95", "0.5:0.1:0.95", "0.9:0.1:0.5", "0.1:inf:0.5"]
)
def test_thresholds_that_cannot_be(text: str) -> None:
    with pytest.raises(InputError, match=f"--tiou '{text}' must be thresholds greater than 0 and at most 1"):
        parse_tious(text)
