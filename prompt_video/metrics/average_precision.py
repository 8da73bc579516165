"""Average precision of temporal detections, equal to ActivityNet's toolkit."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int

from prompt_video.metrics.tables import Detections, Pairs, Truth, checked_tious, overlapping, positions

_PAIRS_AT_A_TIME = 2**20


def average_precision(
    detections: Detections, truth: Truth, num_classes: int, tious: Sequence[float]
) -> Float[np.ndarray, "K L"]:
    """Interpolated average precision of each class at each tIoU threshold.

    The detections of a class, best score first, each take the ground truth of their video and class that overlaps most
    among those that are free and overlap by the threshold or more. Recall counts every ground truth, also one that
    nothing can match. Most detections overlap with no ground truth; they only push others back.

    Detections of equal score stand in the order of video number, start and end; of ground truths that overlap equally
    the one that starts later is taken, then that which ends later. So the order of the rows does not matter. The
    toolkit leaves the first of the two open, and does the second where the ground truth is sorted by start.

    Two segments whose union has no length match at every threshold, as they do in the toolkit, where 0 / 0 is not less.

    Args:
        detections: those of a class without ground truth are left aside.
        truth: classes that have some are scored.
        num_classes: labels are 0 to ``num_classes - 1``.
        tious: thresholds in (0, 1].

    Returns:
        In [0, 1]; NaN for classes without ground truth.

    Raises:
        ValueError: when a score or segment of a detection is not finite, or a label or threshold is outside its range.

    Source: Evaluation/eval_detection.py@activitynet/ActivityNet.
    """
    thresholds = checked_tious(tious)
    if not np.isfinite(detections.scores).all() or not np.isfinite(detections.segments).all():
        raise ValueError("the scores and segments of detections must be finite numbers.")
    for label in (detections.label, truth.label):
        if label.min(initial=0) < 0 or label.max(initial=0) >= num_classes:
            raise ValueError(f"labels must be 0 to {num_classes - 1}, not {label.min()} to {label.max()}.")
    truth = _in_order(truth)
    num_truth = np.bincount(truth.label, minlength=num_classes)
    num_detections = np.bincount(detections.label, minlength=num_classes)
    offset = np.cumsum(num_detections) - num_detections
    ap = np.full((num_classes, len(thresholds)), np.nan)
    ap[num_truth > 0] = 0
    for pairs in _joined(_pairs_of_classes(detections, truth, offset, float(thresholds.min()))):
        for column, threshold in enumerate(thresholds):
            enough = pairs.tiou >= threshold
            hits = _hits(pairs.detection[enough], pairs.truth[enough], len(truth.label))
            ap[:, column] += _area(hits, offset, num_truth)
    return ap


def _in_order(truth: Truth) -> Truth:
    """By class and video; what comes later is preferred where overlaps are equal."""
    start, end = truth.segments.T
    order = np.lexsort((end, start, truth.video, truth.label))
    return Truth(*(column[order] for column in truth))


def _pairs_of_classes(
    detections: Detections, truth: Truth, offset: Int[np.ndarray, " K"], tiou: float
) -> Iterator[Pairs]:
    """Of each class, in their order, with detections numbered by class and rank, and truth by its row.

    Detections are in their order, of each the best pair first.
    """
    videos = np.unique(truth.video)
    video, truth_video = positions(detections.video, videos), positions(truth.video, videos)
    # Small numbers are sorted by radix, many times faster.
    by_label = np.argsort(detections.label.astype(np.min_scalar_type(len(offset))), kind="stable")
    ends = np.append(offset[1:], len(by_label))
    for label in np.unique(truth.label):
        own = slice(*np.searchsorted(truth.label, [label, label + 1]))
        rows = by_label[offset[label] : ends[label]]
        pairs = overlapping(
            video[rows], rows, detections.segments, truth_video[own], truth.segments[own], tiou, undefined=np.inf
        )
        rank = _ranks(detections, rows, pairs.detection)
        order = np.lexsort((-pairs.truth, -pairs.tiou, rank))
        yield Pairs(offset[label] + rank[order], own.start + pairs.truth[order], pairs.tiou[order])


def _ranks(detections: Detections, rows: Int[np.ndarray, " N"], asked: Int[np.ndarray, " P"]) -> Int[np.ndarray, " P"]:
    """How many detections stand before those asked for, by score, then video number, start and end.

    Args:
        detections: of all classes.
        rows: those of the class.
        asked: numbers of rows.
    """
    own = detections.scores[rows]
    ascending = np.sort(own)
    scores = own[asked]
    end = np.searchsorted(ascending, scores, side="right")  # behind the last one that is equal
    tied = (end > 1) & (ascending[end - 2] == scores)
    rank: Int[np.ndarray, " P"] = len(rows) - end
    if tied.any():
        # Sorting by all columns takes long, so it is done for those alone that it matters for.
        among = np.flatnonzero(np.isin(own, scores[tied]))
        video, segments = detections.video[rows[among]], detections.segments[rows[among]]
        among = among[np.lexsort((segments[:, 1], segments[:, 0], video, -own[among]))]
        place = np.empty(len(rows), dtype=np.int64)
        place[among] = np.arange(len(among)) - np.searchsorted(-own[among], -own[among])
        rank[tied] += place[asked[tied]]
    return rank


def _joined(parts: Iterator[Pairs]) -> Iterator[Pairs]:
    """Some classes at a time, each whole."""
    waiting: list[Pairs] = []
    num_pairs = 0
    for part in parts:
        waiting.append(part)
        num_pairs += len(part.tiou)
        if num_pairs >= _PAIRS_AT_A_TIME:
            yield _concatenated(waiting)
            waiting, num_pairs = [], 0
    if waiting:
        yield _concatenated(waiting)


def _concatenated(parts: list[Pairs]) -> Pairs:
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _hits(detection: Int[np.ndarray, " P"], truth: Int[np.ndarray, " P"], num_truth: int) -> Int[np.ndarray, " H"]:
    """The detections that get a ground truth when each in turn takes its best free one; ascending.

    All groups (video and class) are matched at once. In each round every free truth is kept for the first detection
    that it is paired with, and taken if it is also the best one left to that detection: nothing before the two can
    change it. The first detection of a group always gets its best, so there are no more rounds than ground truths in a
    group, however many detections there are.

    Args:
        detection: ascending; of one detection the best pair comes first.
        truth: paired with it.
        num_truth: numbers of the truth are less.
    """
    hits = []
    first_pair = np.empty(num_truth, dtype=np.int64)
    while len(detection):
        place = np.arange(len(detection))
        is_best = np.concatenate([[True], detection[1:] != detection[:-1]])
        first_pair[truth[::-1]] = place[::-1]  # of several, what is written last stays
        is_match = is_best & (first_pair[truth] == place)
        hits.append(detection[is_match])
        gone = is_match[is_best][np.cumsum(is_best) - 1]  # all pairs of a detection that has its truth
        gone |= is_match[first_pair[truth]]  # all pairs of a truth that is taken
        detection, truth = detection[~gone], truth[~gone]
    return np.sort(np.concatenate([*hits, np.empty(0, dtype=np.int64)]))


def _area(
    hits: Int[np.ndarray, " H"], offset: Int[np.ndarray, " K"], num_truth: Int[np.ndarray, " K"]
) -> Float[np.ndarray, " K"]:
    """Below the precision over recall, precision being the highest at this recall or more; 0 without hits."""
    if not len(hits):
        return np.zeros(len(offset))
    label = np.searchsorted(offset, hits, side="right") - 1
    number = np.arange(len(hits)) - np.searchsorted(label, label)  # within the class
    precision = np.zeros((len(offset), number.max() + 1))
    precision[label, number] = (number + 1) / (hits - offset[label] + 1)
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)
    area: Float[np.ndarray, " K"] = highest.sum(1) / np.maximum(num_truth, 1)
    return area
