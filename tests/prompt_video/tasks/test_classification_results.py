from typing import Any

import pytest
import torch

from prompt_video.model.calibration import Calibration
from prompt_video.reports.recognition_files import per_class
from prompt_video.tasks.classification_results import ClassificationResults, combined

FIGURES: Any = {
    "base": {"top1": 0.9, "frozen_top1": 0.5},
    "novel": {"top1": 0.3, "frozen_top1": 0.5},
}


def test_figures_of_one_part() -> None:
    outcome = ClassificationResults(["a", "b", "c"])
    learned = torch.tensor([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3]])
    frozen = torch.tensor([[0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3]])
    outcome.update(["v", "w", "x", "y"], torch.tensor([0, 0, 1, 2]), learned, frozen)
    figures = outcome.compute()
    known = {"top1": 0.75, "top5": 1.0, "mean_class": 2 / 3, "frozen_top1": 0.5}
    assert figures == pytest.approx({**known, "ece": (0.3 + 0.4 + 0.2 + 0.5) / 4})
    assert outcome.confusion().tolist() == [[2, 0, 0], [0, 1, 0], [1, 0, 0]]
    rows = per_class(outcome)
    assert [row["taken_for"] for row in rows] == ["", "", "a"]


def test_one_test_alone_has_the_plain_names() -> None:
    assert combined({"test": {"top1": 0.5}}, {}) == {"test/top1": 0.5}


def test_harmonic_means_of_this_model_and_of_the_frozen_one() -> None:
    together = combined(FIGURES, {"hm": ("base", "novel"), "hm_all": ("base_all", "novel_all")})
    assert together["test/hm"] == pytest.approx(2 * 0.27 / 1.2)
    assert together["test/frozen_hm"] == pytest.approx(0.5)
    assert "test/hm_all" not in together
    assert "test/top1" not in together
    assert together["test/novel/top1"] == 0.3


def test_several_tests_are_averaged_with_their_spread() -> None:
    together = combined(FIGURES, {})
    assert together["test/top1"] == pytest.approx(0.6)
    assert together["test/top1_std"] == pytest.approx(0.6 / 2**0.5)


def test_harmonic_mean_of_nothing() -> None:
    figures = {name: {"top1": top1, "frozen_top1": 0.5} for name, top1 in (("base", 0.0), ("novel", 0.9))}
    assert combined(figures, {"hm": ("base", "novel")})["test/hm"] == 0.0


def test_a_temperature_changes_probabilities_and_no_accuracy() -> None:
    torch.manual_seed(0)
    learned, target = (torch.randn(50, 4) * 4).softmax(-1), torch.randint(4, (50,))
    plain, fitted = ClassificationResults(list("abcd")), ClassificationResults(list("abcd"))
    names, calibration = [str(number) for number in range(50)], Calibration(5.0, 12)
    plain.update(names, target, learned, learned)
    fitted.update(names, target, learned, learned, calibration)
    before, after = plain.compute(), fitted.compute()
    assert after["ece_before"] == before["ece"] > after["ece"]
    assert {key: after[key] for key in ("top1", "top5", "mean_class")} == {
        key: before[key] for key in ("top1", "top5", "mean_class")
    }
    said = calibration.apply(learned).amax(-1).tolist()
    assert [video.probability for video in fitted.videos] == pytest.approx(said)
    assert "ece_before" not in before


def test_videos_that_show_no_class_count_for_nothing_but_confidence() -> None:
    learned = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.15, 0.85]])
    target, share = torch.tensor([0, 1, -1, -1]), torch.tensor([0.5, 0.9, 0.1, 0.2])
    outcome, known = ClassificationResults(["a", "b"]), ClassificationResults(["a", "b"])
    outcome.update(list("vwxy"), target, learned, learned, share=share)
    known.update(list("vw"), target[:2], learned[:2], learned[:2])
    figures = outcome.compute()
    of_confidence = ("auroc", "fpr95", "bank_auroc", "bank_fpr95")
    assert {key: figures[key] for key in figures if key not in of_confidence} == known.compute()
    assert [figures[key] for key in of_confidence] == [0.75, 0.5, 1.0, 0.0]
    assert [video.video_id for video in outcome.unknown] == ["x", "y"]
    assert outcome.confusion().sum() == 2
