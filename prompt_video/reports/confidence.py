"""What probabilities of a test are worth, on a page: do they come true, and do they tell known videos from others?"""

from collections.abc import Sequence

from prompt_video.metrics.confidences import KEPT, NUM_BINS, Bin, reliability, roc
from prompt_video.reports.document import Note, Part, Plots, Section
from prompt_video.reports.figures import Curve, lines
from prompt_video.tasks.classification_results import ClassificationResults

DIAGONAL = ((0.0, 0.0), (100.0, 100.0))
FEW = 5  # guesses of a bin, of fewer of which the share that is right says little
_BANK = {"": "the best probability", "bank_": "the share beside the bank"}


def confidence_sections(results: ClassificationResults) -> list[Section]:
    """Of one test that was scored; the second where some of its videos show none of the classes."""
    figures = results.compute()
    sections = [Section("Probabilities", [*_said(figures), _reliability(results)])] if "ece" in figures else []
    if "auroc" in figures:
        sections.append(Section("None of these", [*_separated(results, figures), _roc(results)]))
    return sections


def _said(figures: dict[str, float]) -> list[Part]:
    error = f"Accuracy is {100 * figures['ece']:.1f} points from the probability that is said of a guess, on average"
    if "ece_before" in figures:
        return [f"{error}; before the temperature was fitted it was {100 * figures['ece_before']:.1f}."]
    return [
        f"{error}.",
        Note("No temperature was fitted: --fit_temperature true does so on videos held out of training."),
    ]


def _reliability(results: ClassificationResults) -> Part:
    right = [video.pred == video.target for video in results.videos]
    said = {"as they are": [video.probability for video in results.videos]}
    if results.is_calibrated:
        before = [video.uncalibrated for video in results.videos]
        said = {"with the fitted temperature": said["as they are"], "before": before}
    curves = {name: _drawn(reliability(values, right)) for name, values in said.items()}
    level = {"where they come true": DIAGONAL}
    note = (
        f"Best guesses in {NUM_BINS} bins by probability, without bins of fewer than {FEW}; below the straight line "
        "they claim too much."
    )
    return Plots(
        [lines(curves, "Do probabilities come true?", "share that is right, %", "probability, %", note, level)]
    )


def _drawn(bins: Sequence[Bin]) -> Curve:
    shown = [one for one in bins if one.num_guesses >= FEW] or bins
    return [(100 * one.confidence, 100 * one.accuracy) for one in shown]


def _separated(results: ClassificationResults, figures: dict[str, float]) -> list[Part]:
    unknown, known = len(results.unknown), len(results.videos)
    told = [
        f"by {_BANK[name]} a known one is surer than another in {100 * figures[f'{name}auroc']:.1f} % of all pairs "
        f"(AUROC), and {100 * figures[f'{name}fpr95']:.1f} % of the others are taken for known where "
        f"{100 * KEPT:.0f} % of the known are kept (FPR95)"
        for name in results.confidences()
    ]
    return [f"{unknown:,} test videos show none of the classes, and {known:,} show one: {'; '.join(told)}."]


def _roc(results: ClassificationResults) -> Part:
    curves: dict[str, Curve] = {
        _BANK[name]: [
            (100 * other, 100 * own) for other, own in roc([*map(of, results.videos)], [*map(of, results.unknown)])
        ]
        for name, of in results.confidences().items()
    }
    title, others = "Which videos are known?", "others taken for known, %"
    return Plots([lines(curves, title, "known videos kept, %", others, levels={"blind": DIAGONAL})])
