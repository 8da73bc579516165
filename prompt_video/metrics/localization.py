"""Detection and proposal metrics that are fed video by video, on any number of processes."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from prompt_video.metrics.average_precision import average_precision
from prompt_video.metrics.gathered import GatheredMetric
from prompt_video.metrics.proposals import recall_curve
from prompt_video.metrics.tables import ACTIVITYNET_TIOUS, RECALLS, Detections, Truth, checked_tious, video_number


class _VideoMetric(GatheredMetric):
    """Gathers the detections and the ground truth of all videos."""

    # Numbers of videos; video and class; start, end and the score of a detection.
    rows: ClassVar = {
        "videos": ((1,), torch.long),
        "detection_keys": ((2,), torch.long),
        "detection_values": ((3,), torch.double),
        "truth_keys": ((2,), torch.long),
        "truth_values": ((2,), torch.double),
    }

    def _add(
        self,
        video_id: str,
        segments: Float[Tensor, "N 2"],
        scores: Float[Tensor, " N"],
        labels: Int[Tensor, " N"],
        truth_segments: Float[Tensor, "M 2"],
        truth_labels: Int[Tensor, " M"],
    ) -> None:
        video = torch.tensor([[video_number(video_id)]], device=self.device)
        self.keep(
            video,
            torch.cat([video.expand(len(labels), 1), labels[:, None].to(self.device)], 1),
            torch.cat([segments, scores[:, None]], 1),
            torch.cat([video.expand(len(truth_labels), 1), truth_labels[:, None].to(self.device)], 1),
            truth_segments,
        )

    def _tables(self) -> tuple[Detections, Truth]:
        """All that was given, on all processes.

        Raises:
            ValueError: when a video was given twice.
        """
        self.fill()
        videos, keys, values, truth_keys, truth_values = (
            dim_zero_cat(getattr(self, name)).cpu().numpy() for name in self.rows
        )
        if repeated := len(videos) - len(np.unique(videos)):
            raise ValueError(f"{repeated} of {len(videos)} videos were given twice; each must count once.")
        detections = Detections(keys[:, 0], keys[:, 1], values[:, :2], values[:, 2])
        return detections, Truth(truth_keys[:, 0], truth_keys[:, 1], truth_values)


class DetectionMAP(_VideoMetric):
    """Mean average precision of temporal detections, as `average_precision` defines it, in [0, 1].

    Args:
        num_classes: labels are 0 to ``num_classes - 1``.
        tious: thresholds in (0, 1].

    Raises:
        ValueError: when there is no threshold, or one outside (0, 1].
    """

    def __init__(self, num_classes: int, tious: Sequence[float] = ACTIVITYNET_TIOUS) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.tious = checked_tious(tious).tolist()

    def update(
        self,
        video_id: str,
        segments: Float[Tensor, "N 2"],
        scores: Float[Tensor, " N"],
        labels: Int[Tensor, " N"],
        truth_segments: Float[Tensor, "M 2"],
        truth_labels: Int[Tensor, " M"],
    ) -> None:
        """Add all that there is of one video, on one process; each video once."""
        self._add(video_id, segments, scores, labels, truth_segments, truth_labels)

    def compute(self) -> dict[str, Tensor]:
        """``map@<tIoU>`` for each threshold, the mean over classes with ground truth, and their mean ``map_avg``.

        NaN where no class has ground truth.
        """
        ap = self._average_precision()
        has_truth = ~ap[:, 0].isnan()
        means = ap[has_truth].mean(0)
        figures = {f"map@{tiou:g}": mean for tiou, mean in zip(self.tious, means, strict=True)}
        return {**figures, "map_avg": means.mean()}

    def per_class(self) -> Float[Tensor, "K L"]:
        """Average precision of each class at each threshold; NaN for classes without ground truth.

        On several processes all have to call it.
        """
        with self.sync_context():
            return self._average_precision()

    def _average_precision(self) -> Float[Tensor, "K L"]:
        detections, truth = self._tables()
        return torch.from_numpy(average_precision(detections, truth, self.num_classes, self.tious)).to(self.device)


class ProposalRecall(_VideoMetric):
    """Recall of class-agnostic proposals, averaged over tIoU thresholds, as `recall_curve` defines it, in [0, 1].

    Args:
        tious: thresholds in (0, 1].

    Raises:
        ValueError: when there is no threshold, or one outside (0, 1].
    """

    def __init__(self, tious: Sequence[float] = ACTIVITYNET_TIOUS) -> None:
        super().__init__()
        self.tious = checked_tious(tious).tolist()

    def update(
        self,
        video_id: str,
        segments: Float[Tensor, "N 2"],
        scores: Float[Tensor, " N"],
        truth_segments: Float[Tensor, "M 2"],
    ) -> None:
        """Add all that there is of one video, on one process; each video once, and each segment once."""
        no_labels, no_truth_labels = (torch.zeros(len(rows), dtype=torch.long) for rows in (segments, truth_segments))
        self._add(video_id, segments, scores, no_labels, truth_segments, no_truth_labels)

    def compute(self) -> dict[str, Tensor]:
        """``ar@1``, ``ar@10``, ``ar@100``: recall with so many proposals a video on average; ``auc``: over 1 to 100.

        All are fractions; the toolkit prints its area as 100 times that. NaN where there is no ground truth.
        """
        curve = recall_curve(*self._tables(), self.tious)
        figures = {f"ar@{count}": curve.average_recall[count - 1] for count in RECALLS}
        return {
            name: torch.tensor(value, dtype=torch.double, device=self.device)
            for name, value in {**figures, "auc": curve.auc}.items()
        }
