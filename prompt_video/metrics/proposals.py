"""Recall of class-agnostic proposals over their number, equal to ActivityNet's toolkit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from prompt_video.metrics.tables import Detections, Truth, checked_tious, overlapping, positions

MAX_AVERAGE = 100  # proposals a video, on average, at the end of the curve


class RecallCurve(NamedTuple):
    """Recall at each tIoU threshold, and the average number of proposals a video that it takes."""

    recall: Float[np.ndarray, "L 100"]
    num_proposals: Float[np.ndarray, " 100"]

    @property
    def average_recall(self) -> Float[np.ndarray, " 100"]:
        """Averaged over the thresholds: AR@1 to AR@100."""
        mean: Float[np.ndarray, " 100"] = self.recall.mean(0)
        return mean

    @property
    def auc(self) -> float:
        """Area below the average recall, as a fraction of what could be."""
        if not self.num_proposals[-1]:
            return 0.0
        return float(np.trapezoid(self.average_recall, self.num_proposals) / self.num_proposals[-1])


def recall_curve(proposals: Detections, truth: Truth, tious: Sequence[float]) -> RecallCurve:
    """Recall when each video keeps its best proposals: 1 to 100 on average, in proportion to what a video has.

    With ``N`` proposals in all and ``V`` videos with ground truth, a video keeps the share ``100 V / N`` of its own,
    rounded down; and of these at each point of the curve a share again, rounded down. Proposals in videos without
    ground truth count in ``N``. Labels are not looked at. A ground truth is found when any kept proposal overlaps by
    the threshold or more.

    Proposals of equal score stand in the order of start and end. Where nothing is kept, recall is 0; the toolkit
    divides by zero there.

    Args:
        proposals: each stands once; see `best_of_repeated`.
        truth: of all classes.
        tious: thresholds in (0, 1].

    Returns:
        The curve; NaN where there is no ground truth.

    Raises:
        ValueError: when a score or segment is not finite, or a threshold is outside its range.

    Source: average_recall_vs_avg_nr_proposals in Evaluation/eval_proposal.py@activitynet/ActivityNet.
    """
    thresholds = checked_tious(tious)
    if not np.isfinite(proposals.scores).all() or not np.isfinite(proposals.segments).all():
        raise ValueError("the scores and segments of proposals must be finite numbers.")
    points = np.arange(1, MAX_AVERAGE + 1) / 100
    videos = np.unique(truth.video)
    truth = _by_video(truth)
    truth_video = positions(truth.video, videos)
    video, rows, rank, kept = _best_of_each(proposals, videos)
    if not kept.any():
        nothing = 0.0 if len(videos) else np.nan
        return RecallCurve(np.full((len(thresholds), len(points)), nothing), np.full(len(points), nothing))
    points = points * (MAX_AVERAGE * len(videos) / kept.sum())
    num_kept = np.minimum((kept[:, None] * points).astype(np.int64), kept[:, None])[truth_video]
    pairs = overlapping(
        video, rows, proposals.segments, truth_video, truth.segments, float(thresholds.min()), undefined=0.0
    )
    recall = np.empty((len(thresholds), len(points)))
    for row, threshold in enumerate(thresholds):
        enough = np.flatnonzero(pairs.tiou >= threshold)[::-1]
        first = np.full(len(truth_video), np.iinfo(np.int64).max)
        first[pairs.truth[enough]] = rank[pairs.detection[enough]]  # of several, the best one is written last
        recall[row] = (first[:, None] < num_kept).mean(0)
    return RecallCurve(recall, points * (kept.sum() / len(videos)))


def _by_video(truth: Truth) -> Truth:
    order = np.argsort(truth.video, kind="stable")
    return Truth(*(column[order] for column in truth))


def _best_of_each(
    proposals: Detections, videos: Int[np.ndarray, " V"]
) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " N"], Int[np.ndarray, " N"], Int[np.ndarray, " V"]]:
    """What videos keep, best first: position of the video, row, and rank in the video; and how many each one keeps."""
    video = positions(proposals.video, videos)
    start, end = proposals.segments.T
    order = np.lexsort((end, start, -proposals.scores, video))
    order = order[video[order] >= 0]
    video = video[order]
    own = np.bincount(video, minlength=len(videos))
    share = MAX_AVERAGE * len(videos) / max(len(proposals.scores), 1)
    kept = np.minimum((own * share).astype(np.int64), own)
    rank = np.arange(len(video)) - (np.cumsum(own) - own)[video]
    is_kept = rank < kept[video]
    return video[is_kept], order[is_kept], rank[is_kept], kept


def best_of_repeated(detections: Detections) -> Detections:
    """Each segment of a video once, with its best score: class-agnostic proposals from detections of many classes."""
    start, end = detections.segments.T
    order = np.lexsort((-detections.scores, end, start, detections.video))
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = False
    for column in (detections.video, start, end):
        is_new[1:] |= column[order[1:]] != column[order[:-1]]
    return Detections(*(column[order[is_new]] for column in detections))
