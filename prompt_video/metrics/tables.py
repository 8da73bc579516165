"""Detections and ground truth of many videos as columns, and which of them overlap."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

ACTIVITYNET_TIOUS = tuple(np.linspace(0.5, 0.95, 10).tolist())
RECALLS = (1, 10, 100)  # proposals a video that AR@N is reported for

_PAIRS_AT_A_TIME = 2**20


class Truth(NamedTuple):
    """Ground truth, one instance a row; segments may be empty, reversed or repeated."""

    video: Int[np.ndarray, " M"]
    label: Int[np.ndarray, " M"]
    segments: Float[np.ndarray, "M 2"]


class Detections(NamedTuple):
    """Detections, one a row. Videos are looked up fastest where the rows of one stand together."""

    video: Int[np.ndarray, " N"]
    label: Int[np.ndarray, " N"]
    segments: Float[np.ndarray, "N 2"]
    scores: Float[np.ndarray, " N"]


class Pairs(NamedTuple):
    """A detection and a ground truth that overlap enough, by number."""

    detection: Int[np.ndarray, " P"]
    truth: Int[np.ndarray, " P"]
    tiou: Float[np.ndarray, " P"]


def video_number(video_id: str) -> int:
    """A number for the id, the same on every process and in every run: the first 8 bytes of its SHA-256."""
    return int.from_bytes(hashlib.sha256(video_id.encode()).digest()[:8], "big", signed=True)


def checked_tious(tious: Sequence[float]) -> Float[np.ndarray, " L"]:
    """The thresholds as an array.

    Raises:
        ValueError: when there is none, or one outside (0, 1].
    """
    thresholds = np.asarray(tious, dtype=np.float64)
    if not thresholds.size or not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ValueError(f"tIoU thresholds must be greater than 0 and at most 1, not {list(tious)}.")
    return thresholds


def positions(values: Int[np.ndarray, " N"], known: Int[np.ndarray, " M"]) -> Int[np.ndarray, " N"]:
    """Where each value stands in ``known``, which ascends; -1 for values that it has not."""
    if not len(values) or not len(known):
        return np.full(len(values), -1)
    # One look-up for each run of equal values.
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    place = np.searchsorted(known, values[starts]).clip(max=len(known) - 1)
    place[known[place] != values[starts]] = -1
    return np.repeat(place, np.diff(starts, append=len(values)))


def overlapping(
    video: Int[np.ndarray, " N"],
    rows: Int[np.ndarray, " N"],
    segments: Float[np.ndarray, "D 2"],
    truth_video: Int[np.ndarray, " M"],
    truth_segments: Float[np.ndarray, "M 2"],
    tiou: float,
    undefined: float,
) -> Pairs:
    """The pairs in one video that overlap by ``tiou`` or more, in the order of the detections, then of the truth.

    Args:
        video: position of each detection's video among the videos; -1 for those that have no truth at all.
        rows: where each detection's segment stands; most are never looked at.
        segments: start and end.
        truth_video: as ``video``; ascending.
        truth_segments: start and end.
        tiou: threshold, greater than 0.
        undefined: the tIoU of two segments whose union is 0, which the toolkit computes as 0 / 0.
    """
    # A last entry of 0 for the videos at -1.
    count = np.bincount(truth_video, minlength=max(video.max(initial=0), truth_video.max(initial=0)) + 2)
    first = np.cumsum(count) - count
    possible = np.flatnonzero(count[video])
    count, first = count[video[possible]], first[video[possible]]
    pairs = [Pairs(possible[:0], possible[:0], np.empty(0))]
    for some in _portions(count):
        detection = np.repeat(possible[some], count[some])
        begin = np.cumsum(count[some]) - count[some]
        truth = np.arange(len(detection)) + np.repeat(first[some] - begin, count[some])
        overlap = _tiou(segments[rows[detection]], truth_segments[truth], undefined)
        enough = overlap >= tiou
        pairs.append(Pairs(detection[enough], truth[enough], overlap[enough]))
    return Pairs(*(np.concatenate(column) for column in zip(*pairs, strict=True)))


def _tiou(one: Float[np.ndarray, "P 2"], other: Float[np.ndarray, "P 2"], undefined: float) -> Float[np.ndarray, " P"]:
    """Row by row, rounded as the toolkit's is: a threshold may be met exactly."""
    intersection = np.minimum(one[:, 1], other[:, 1]) - np.maximum(one[:, 0], other[:, 0])
    np.maximum(intersection, 0, out=intersection)
    union = (other[:, 1] - other[:, 0]) + (one[:, 1] - one[:, 0]) - intersection
    tiou = np.full(len(union), undefined)
    np.divide(intersection, union, out=tiou, where=union != 0)
    return tiou


def _portions(count: Int[np.ndarray, " N"]) -> Iterator[slice]:
    """Runs of detections that make a bounded number of pairs, or are one detection."""
    total = np.cumsum(count)
    start = 0
    while start < len(count):
        done = total[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(total, done + _PAIRS_AT_A_TIME, side="right")))
        yield slice(start, end)
        start = end
