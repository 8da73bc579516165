"""From the proposals of one video, each with a score for every class, to its detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_modules.annotations.activitynet_format import Detection
from data_modules.errors import InputError
from prompt_video.localization.segments import Kept, nms, soft_nms


class Candidates(NamedTuple):
    """Proposals of a video, or of one window of it, before any of them is suppressed.

    Args:
        segments_sec: start and end, seconds from the start of the file.
        confidence: that an action is there and that it is met, in [0, 1].
        learned: probability of each class, as the model sees it.
        frozen: the same, as frozen backbone sees it.
    """

    segments_sec: Float[Tensor, "P 2"]
    confidence: Float[Tensor, " P"]
    learned: Float[Tensor, "P K"]
    frozen: Float[Tensor, "P K"]

    @classmethod
    def joined(cls, parts: "list[Candidates]") -> "Candidates":
        """The candidates of several windows of one video, one after the other."""
        return cls(*(torch.cat(columns) for columns in zip(*parts, strict=True)))

    def by_window(self, counts: list[int]) -> "list[Candidates]":
        """The first ``counts[0]`` of them, the next ``counts[1]``, and so on."""
        return [Candidates(*columns) for columns in zip(*(torch.split(c, counts) for c in self), strict=True)]


class VideoDetections(NamedTuple):
    """Detections of a video, best first."""

    segments_sec: Float[Tensor, "N 2"]
    scores: Float[Tensor, " N"]
    labels: Int[Tensor, " N"]

    def named(self, class_names: Sequence[str]) -> tuple[Detection, ...]:
        """Label, start, end and score of each, as files hold them.

        Args:
            class_names: that labels index.
        """
        rows = zip(self.labels.tolist(), self.segments_sec.tolist(), self.scores.tolist(), strict=True)
        return tuple(Detection(class_names[label], start, end, score) for label, (start, end), score in rows)


@dataclass(frozen=True)
class Suppression:
    """How overlapping proposals are thinned out, class by class; one moment may have several labels.

    Args:
        method: ``soft`` lowers the score of what overlaps with something better, ``hard`` drops it.
        sigma: of ``soft``: a better proposal multiplies the scores of others by exp(-tIoU^2 / sigma).
        threshold: of ``hard``: the tIoU from which a proposal is dropped.
        min_score: what falls below is dropped.
        max_detections: of a video at most, of all classes together.
    """

    method: Literal["soft", "hard"] = "soft"
    sigma: float = 0.5
    threshold: float = 0.5
    min_score: float = 0.001
    max_detections: int = 200

    def __post_init__(self) -> None:
        if self.sigma <= 0 or not 0 <= self.threshold <= 1 or not 0 <= self.min_score < 1 or self.max_detections < 1:
            raise InputError(
                "suppression: sigma must be greater than 0, threshold and min_score in [0, 1], and max_detections 1 "
                "or more."
            )

    def keep(self, segments_sec: Float[Tensor, "P 2"], scores: Float[Tensor, "P K"]) -> VideoDetections:
        """The detections of a video.

        Args:
            segments_sec: of the proposals.
            scores: of each proposal and class.
        """
        kept = self._kept(segments_sec, scores)
        return VideoDetections(segments_sec[kept.row], kept.score, kept.class_index)

    def _kept(self, segments: Float[Tensor, "P 2"], scores: Float[Tensor, "P K"]) -> Kept:
        if self.method == "soft":
            return soft_nms(segments, scores, self.sigma, self.max_detections, self.min_score)
        low = scores < self.min_score
        return nms(segments, scores.masked_fill(low, -torch.inf), self.threshold, self.max_detections)
