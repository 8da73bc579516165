"""Detections and ground truth as the files hold them, to all figures of the localization benchmarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from data_modules.annotations.activitynet_format import AnnotatedVideo, Detection
from prompt_video.metrics.average_precision import average_precision
from prompt_video.metrics.proposals import best_of_repeated, recall_curve
from prompt_video.metrics.tables import ACTIVITYNET_TIOUS, RECALLS, Detections, Truth, video_number


@dataclass(frozen=True)
class Evaluation:
    """All figures, as fractions.

    Args:
        labels: the classes that have ground truth, sorted.
        tious: thresholds of the average precision.
        ap: of each class at each threshold.
        recall: ``ar@1``, ``ar@10``, ``ar@100`` and ``auc``, always over ActivityNet's ten thresholds.
    """

    labels: tuple[str, ...]
    tious: tuple[float, ...]
    ap: Float[np.ndarray, "K L"]
    recall: dict[str, float]

    @property
    def figures(self) -> dict[str, float]:
        """``map@<tIoU>`` for each threshold, ``map_avg``, and the recalls."""
        means = self.ap.mean(0)
        precision = {f"map@{tiou:g}": float(mean) for tiou, mean in zip(self.tious, means, strict=True)}
        return {**precision, "map_avg": float(means.mean()), **self.recall}

    @property
    def per_class(self) -> dict[str, dict[str, float]]:
        """Label -> ``ap@<tIoU>`` for each threshold and ``ap_avg``."""
        names = [f"ap@{tiou:g}" for tiou in self.tious]
        return {
            label: {**dict(zip(names, row.tolist(), strict=True)), "ap_avg": float(row.mean())}
            for label, row in zip(self.labels, self.ap, strict=True)
        }


def evaluate(
    videos: Mapping[str, AnnotatedVideo],
    detections: Mapping[str, Sequence[Detection]],
    tious: Sequence[float] = ACTIVITYNET_TIOUS,
) -> Evaluation:
    """Average precision of the detections, and recall of the same segments as class-agnostic proposals.

    A segment that a video has under several labels is one proposal, with its best score.

    Args:
        videos: ground truth, of which at least one video has annotations.
        detections: by video id. Those in videos without ground truth count as false; those of classes without any are
            no detections of any class, but proposals.
        tious: thresholds of the average precision, in (0, 1].
    """
    labels = tuple(sorted({annotation.label for video in videos.values() for annotation in video.annotations}))
    index = {label: number for number, label in enumerate(labels)}
    truth, detected = _truth(videos, index), _detections(detections, index)
    curve = recall_curve(best_of_repeated(detected), truth, ACTIVITYNET_TIOUS)
    recall = {f"ar@{count}": float(curve.average_recall[count - 1]) for count in RECALLS}
    named = Detections(*(column[detected.label >= 0] for column in detected))
    ap = average_precision(named, truth, len(labels), tious)
    return Evaluation(labels, tuple(tious), ap, {**recall, "auc": curve.auc})


def _truth(videos: Mapping[str, AnnotatedVideo], index: Mapping[str, int]) -> Truth:
    rows = [
        (number, annotation)
        for number, video in ((video_number(video_id), video) for video_id, video in videos.items())
        for annotation in video.annotations
    ]
    keys = np.array([(number, index[one.label]) for number, one in rows], np.int64).reshape(-1, 2)
    segments = np.array([(one.start_sec, one.end_sec) for _, one in rows], np.float64).reshape(-1, 2)
    return Truth(keys[:, 0], keys[:, 1], segments)


def _detections(detections: Mapping[str, Sequence[Detection]], index: Mapping[str, int]) -> Detections:
    rows = [
        (number, detection)
        for number, own in ((video_number(video_id), own) for video_id, own in detections.items())
        for detection in own
    ]
    keys = np.array([(number, index.get(one.label, -1)) for number, one in rows], np.int64).reshape(-1, 2)
    values = np.array([(one.start_sec, one.end_sec, one.score) for _, one in rows], np.float64).reshape(-1, 3)
    return Detections(keys[:, 0], keys[:, 1], values[:, :2], values[:, 2])
