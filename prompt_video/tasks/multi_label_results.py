"""What a validation or a test of several labels a video comes to: of one subset of a data set."""

from collections.abc import Collection, Mapping, Sequence
from math import isnan
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics.functional.classification import binary_average_precision, multilabel_average_precision

from prompt_video.tasks.results import VideoResults


class LabelledVideo(NamedTuple):
    """One video: what it shows, and the probability of each class."""

    video_id: str
    shown: Bool[Tensor, " K"]
    learned: Float[Tensor, " K"]
    frozen: Float[Tensor, " K"]  # grows with its cosine, in [0, 1]: no probability


class MultiLabelResults(VideoResults[LabelledVideo]):
    """Probabilities of every class on one subset.

    Args:
        class_names: the candidates.
        threshold: probability from which on a class counts as named.
        paths: as of all `VideoResults`.
        with_frozen: the same.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        threshold: float,
        paths: Mapping[str, Path] | None = None,
        with_frozen: bool = True,
    ) -> None:
        super().__init__(class_names, paths, with_frozen)
        self.threshold = threshold

    def update(
        self,
        video_ids: Sequence[str],
        shown: Bool[Tensor, "B K"],
        learned: Float[Tensor, "B K"],
        frozen: Float[Tensor, "B K"],
    ) -> None:
        """Add the probabilities of some videos."""
        columns = (column.cpu().unbind() for column in (shown, learned, frozen))
        self._all.extend(map(LabelledVideo, video_ids, *columns))

    def compute(self) -> dict[str, float]:
        """Mean average precision over the classes that any video shows, that of the frozen backbone, and F1.

        F1 is that of all answers together: twice the right ones among those named and those shown.
        """
        if not self.videos:
            return {}
        shown, named = self._of("shown"), self._of("learned") >= self.threshold
        figures = {"map": _mean(self.average_precision()), "f1": _f1(named, shown)}
        if self.with_frozen:
            figures["frozen_map"] = _mean(self.average_precision("frozen"))
        return figures

    @property
    def chance(self) -> float | None:  # type: ignore[override]
        """Mean average precision of a blind guess: the mean share of videos that show a class, of those shown."""
        shares = self._of("shown").double().mean(0) if self.videos else torch.zeros(1)
        return shares[shares > 0].mean().item() if (shares > 0).any() else None

    def of_classes(self, class_names: Collection[str], *, inverted: bool = False) -> dict[str, float]:
        """Mean average precision over some classes, of those shown."""
        own = [ap for name, ap in self.by_class().items() if (name in class_names) != inverted and ap is not None]
        return {"map": mean(own)} if own else {}

    def average_precision(self, column: str = "learned") -> Float[Tensor, " K"]:
        """Of each class; not a number where no video shows it, which torchmetrics would take for 0.

        Args:
            column: whose answers, ``learned`` or ``frozen``.
        """
        answers, shown = self._of(column), self._of("shown")
        places = shown.any(0).nonzero().flatten()
        of_classes = torch.full((len(self.class_names),), torch.nan)
        if len(places) > 1:
            of_classes[places] = multilabel_average_precision(
                answers[:, places], shown[:, places].long(), len(places), average=None
            )
        elif len(places):  # which torchmetrics has another function for
            of_classes[places] = binary_average_precision(answers[:, places[0]], shown[:, places[0]].long())
        return of_classes

    def by_class(self) -> dict[str, float | None]:
        """Average precision of each class; None where no video shows it."""
        if not self.videos:
            return {}
        values = self.average_precision().tolist()
        return {name: None if isnan(ap) else ap for name, ap in zip(self.class_names, values, strict=True)}

    def named(self, video: LabelledVideo) -> list[int]:
        """The classes that a video was found to show, likeliest first."""
        order = video.learned.argsort(descending=True, stable=True).tolist()
        return [k for k in order if video.learned[k] >= self.threshold]

    def _of(self, column: str) -> Tensor:
        return torch.stack([getattr(video, column) for video in self.videos])


def _mean(of_classes: Float[Tensor, " K"]) -> float:
    return of_classes.nanmean().item()


def _f1(named: Bool[Tensor, "N K"], shown: Bool[Tensor, "N K"]) -> float:
    either = named.sum() + shown.sum()
    return (2 * (named & shown).sum() / either).item() if either else 1.0
