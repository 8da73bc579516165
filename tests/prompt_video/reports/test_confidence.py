from pathlib import Path

import torch

from prompt_video.model.calibration import Calibration
from prompt_video.reports.confidence import confidence_sections
from prompt_video.reports.document import Plots
from prompt_video.reports.recognition_files import write_recognition
from prompt_video.tasks.classification_results import ClassificationResults
from tests.small_runs import rows_of


def outcome(calibration: Calibration | None = None, share: bool = False, unknown: bool = True) -> ClassificationResults:
    torch.manual_seed(0)
    results = ClassificationResults(["running", "sitting"])
    learned, target = (torch.randn(40, 2) * 3).softmax(-1), torch.arange(40) % 2
    if unknown:
        target = target.where(torch.arange(40) < 25, -1)
    shares = torch.rand(40) if share else None
    results.update([str(number) for number in range(40)], target, learned, learned, calibration, shares)
    return results


def text_of(results: ClassificationResults) -> dict[str, str]:
    return {section.title: " ".join(map(str, section.parts)) for section in confidence_sections(results)}


def test_probabilities_before_and_after_a_temperature() -> None:
    plain = text_of(outcome(unknown=False))
    assert list(plain) == ["Probabilities"]
    assert "No temperature was fitted" in plain["Probabilities"]
    fitted = outcome(Calibration(3.0, 12))
    figures = fitted.compute()
    said = text_of(fitted)["Probabilities"]
    assert f"Accuracy is {100 * figures['ece']:.1f} points" in said
    assert f"it was {100 * figures['ece_before']:.1f}." in said
    (plots,) = (part for part in confidence_sections(fitted)[0].parts if isinstance(part, Plots))
    assert [name for *_, name in plots.plots[0].legend] == [
        "with the fitted temperature",
        "before",
        "where they come true",
    ]


def test_what_tells_known_videos_from_others() -> None:
    results = outcome(share=True)
    figures = results.compute()
    said = text_of(results)["None of these"]
    assert "15 test videos show none of the classes, and 25 show one" in said
    for name in ("auroc", "fpr95", "bank_auroc", "bank_fpr95"):
        assert f"{100 * figures[name]:.1f} %" in said
    assert "beside the bank" not in text_of(outcome())["None of these"]


def test_validation_has_no_such_sections() -> None:
    results = ClassificationResults(["running", "sitting"], with_frozen=False)
    results.update(["a"], torch.tensor([0]), torch.tensor([[0.6, 0.4]]), torch.tensor([[0.6, 0.4]]))
    assert confidence_sections(results) == []


def test_the_table_of_videos_names_those_that_show_none(tmp_path: Path) -> None:
    write_recognition(tmp_path, "", outcome(share=True))
    rows = rows_of(tmp_path / "by_video.csv")
    assert [row["target"] for row in rows].count("none of these") == 15
    assert len(rows) == 40
    assert all(0 <= float(row["bank_share"]) <= 1 for row in rows)
