"""What a validation or a test of recognition comes to: of one subset of a data set, and of several together."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import harmonic_mean, mean, stdev

import torch
from jaxtyping import Float, Int
from torch import Tensor

from prompt_video.metrics.confidences import calibration_error, separation
from prompt_video.model.calibration import Calibration
from prompt_video.tasks.results import VideoResults


@dataclass(frozen=True)
class Prediction:
    """One test video.

    Args:
        video_id: its name.
        target: class index of the truth; -1 where it shows none of the classes.
        pred: of the best guess.
        probability: of that guess, calibrated where a temperature was fitted.
        in_top5: whether the truth is among the five best guesses.
        frozen_pred: of the frozen backbone's best guess.
        uncalibrated: probability of the best guess as the model has learned it.
        share: of all classes beside a bank of texts that mean something else; None without one.
    """

    video_id: str
    target: int
    pred: int
    probability: float
    in_top5: bool
    frozen_pred: int
    uncalibrated: float
    share: float | None


class ClassificationResults(VideoResults[Prediction]):
    """Guesses on one subset, one a video."""

    is_calibrated: bool = False

    @property
    def videos(self) -> list[Prediction]:
        """Those that show one of the classes."""
        return [video for video in self._all if video.target >= 0]

    @property
    def unknown(self) -> list[Prediction]:
        """Those that show none of them."""
        return [video for video in self._all if video.target < 0]

    def update(
        self,
        video_ids: Sequence[str],
        target: Int[Tensor, " B"],
        learned: Float[Tensor, "B K"],
        frozen: Float[Tensor, "B K"],
        calibration: Calibration | None = None,
        share: Float[Tensor, " B"] | None = None,
    ) -> None:
        """Add the probabilities of some videos.

        Args:
            video_ids: their names.
            target: classes that they show, -1 where that is none of them.
            learned: as the model has learned them.
            frozen: of the frozen backbone.
            calibration: of the model; None: none.
            share: of the classes beside a bank; None: there is none.
        """
        best, calibration = learned.max(-1), calibration or Calibration()
        self.is_calibrated = calibration.num_videos > 0
        top5 = (learned.topk(min(5, learned.shape[-1])).indices == target[:, None]).any(-1)
        said = calibration.apply(learned).amax(-1)
        columns = (target, best.indices, said, top5, frozen.argmax(-1), best.values)
        shares = [None] * len(target) if share is None else share.tolist()
        rows = zip(video_ids, *(column.tolist() for column in columns), shares, strict=True)
        self._all.extend(Prediction(*row) for row in rows)

    def compute(self) -> dict[str, float]:
        """Top-1, top-5 and mean class accuracy; of a test also the frozen backbone's top-1, and what confidence says.

        ``ece`` is the expected calibration error. Where some videos show none of the classes, ``auroc`` and ``fpr95``
        say how well confidence tells which; with ``bank_`` before them, that beside a bank.
        """
        if not (known := self.videos):
            return {}
        matrix = self.confusion()
        videos = matrix.sum(1)  # of each class; some may have none
        figures = {
            "top1": float(mean(video.pred == video.target for video in known)),
            "top5": float(mean(video.in_top5 for video in known)),
            "mean_class": (matrix.diagonal()[videos > 0] / videos[videos > 0]).mean().item(),
        }
        if self.with_frozen:
            figures["frozen_top1"] = float(mean(video.frozen_pred == video.target for video in known))
            figures |= self._of_confidence()
        return figures

    def _of_confidence(self) -> dict[str, float]:
        """Whether probabilities come true, and tell videos of the classes from others, where there are any."""
        known, unknown = self.videos, self.unknown
        right = [video.pred == video.target for video in known]
        figures = {"ece": calibration_error([video.probability for video in known], right)}
        if self.is_calibrated:
            figures["ece_before"] = calibration_error([video.uncalibrated for video in known], right)
        for name, confidence_of in self.confidences().items() if unknown else ():
            of_known, of_unknown = map(confidence_of, known), map(confidence_of, unknown)
            found = separation(list(of_known), list(of_unknown))
            figures |= {f"{name}auroc": found.auroc, f"{name}fpr95": found.fpr95}
        return figures

    def confidences(self) -> dict[str, Callable[[Prediction], float]]:
        """What says how sure a video shows one of the classes, by what figures begin with: nothing, or ``bank_``."""
        of_bank = {"bank_": lambda video: video.share} if all(v.share is not None for v in self._all) else {}
        return {"": lambda video: video.probability, **of_bank}

    @property
    def chance(self) -> float:  # type: ignore[override]
        """Top-1 of a blind guess."""
        return 1 / len(self.class_names)

    def of_classes(self, class_names: Collection[str], *, inverted: bool = False) -> dict[str, float]:
        """Top-1 of the videos of some classes."""
        shown = [v for v in self.videos if (self.class_names[v.target] in class_names) != inverted]
        return {"top1": float(mean(video.pred == video.target for video in shown))} if shown else {}

    def confusion(self) -> Int[Tensor, "K K"]:
        """Counts, rows the truth, columns the guess."""
        matrix = torch.zeros(len(self.class_names), len(self.class_names), dtype=torch.long)
        for video in self.videos:
            matrix[video.target, video.pred] += 1
        return matrix


def combined(
    figures: Mapping[str, Mapping[str, float]], harmonic_means: Mapping[str, tuple[str, str]], figure: str = "top1"
) -> dict[str, float]:
    """What several tests come to.

    Args:
        figures: of each test that was scored.
        harmonic_means: name -> the two tests whose ``figure`` it is the harmonic mean of.
        figure: of each test.

    Returns:
        The only test's figures as ``test/top1`` and so on; of several, each as ``test/<name>/top1``, then the harmonic
        means as ``test/<name>``, or the average and standard deviation over the tests where none are asked for.
    """
    if list(figures) == ["test"]:
        return {f"test/{key}": value for key, value in figures["test"].items()}
    together = {f"test/{name}/{key}": value for name, values in figures.items() for key, value in values.items()}
    for name, (one, other) in harmonic_means.items():
        if one in figures and other in figures:
            together[f"test/{name}"] = harmonic_mean((figures[one][figure], figures[other][figure]))
            frozen = harmonic_mean((figures[one][f"frozen_{figure}"], figures[other][f"frozen_{figure}"]))
            together[f"test/frozen_{name}"] = frozen
    if not harmonic_means and figures:
        for key in next(iter(figures.values())):
            values = [test[key] for test in figures.values()]
            together[f"test/{key}"] = mean(values)
            if len(values) > 1:
                together[f"test/{key}_std"] = stdev(values)
    return together
