"""Which detections are shown to people."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter

from data_modules.annotations.activitynet_format import AnnotatedVideo, Detection
from data_modules.errors import InputError

MIN_SCORE = 0.1
AT_MOST = 50
MOST_COVERED = 0.5  # of a segment by better ones; what is covered more is left out of what stands apart
SLIVER = 0.1  # of a segment; a shorter piece of it is left out, and may be shared with one of its own label


@dataclass(frozen=True)
class Selection:
    """The best detections of a video, of those above a score.

    A measure such as mAP wants every guess, however poor; a person wants those that a system would act on.

    Args:
        min_score: scores from here on are shown, in [0, 1].
        at_most: detections of one video that are shown.
        overlapping: False: each moment is that of one detection at most, see `apart`.

    Raises:
        InputError: when the score lies outside, or nothing could be shown.
    """

    min_score: float = MIN_SCORE
    at_most: int = AT_MOST
    overlapping: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.min_score <= 1:
            raise InputError(f"min_score must be in [0, 1], not {self.min_score}.")
        if self.at_most < 1:
            raise InputError(f"at_most must be 1 or more, not {self.at_most}.")

    def of(self, detections: Iterable[Detection]) -> tuple[Detection, ...]:
        """What is shown of one video, best first."""
        chosen = best_first(d for d in detections if d.score >= self.min_score)
        return (chosen if self.overlapping else apart(chosen))[: self.at_most]


def balanced_selection(
    detections: Mapping[str, Sequence[Detection]], truth: Mapping[str, AnnotatedVideo], at_most: int = AT_MOST
) -> Selection:
    """A selection that needs no threshold: over all videos, as many detections as there are true actions.

    Scores of two methods, or of 20 classes and of 200, are not on one scale; shown this way they can be compared.

    Args:
        detections: of each video; those of videos that are not annotated do not count.
        truth: of each video.
        at_most: as in `Selection`.
    """
    wanted = sum(len(video.annotations) for video in truth.values())
    own = chain.from_iterable(detections.get(video_id, ()) for video_id in truth)
    scores = sorted((detection.score for detection in own), reverse=True)
    if not wanted or not scores:
        return Selection(at_most=at_most)
    return Selection(scores[min(wanted, len(scores)) - 1], at_most)


def best_first(detections: Iterable[Detection]) -> tuple[Detection, ...]:
    """By score, equal ones by time."""
    return tuple(sorted(detections, key=lambda d: (-d.score, d.start_sec, d.end_sec, d.label)))


def merged(detections: Iterable[Detection]) -> tuple[Detection, ...]:
    """Detections of one label that overlap or touch become one, with the best score of them; in order of time."""
    whole: dict[str, list[Detection]] = {}
    for detection in sorted(detections, key=attrgetter("start_sec")):
        of_label = whole.setdefault(detection.label, [])
        if of_label and detection.start_sec <= of_label[-1].end_sec:
            last = of_label[-1]
            end, score = max(last.end_sec, detection.end_sec), max(last.score, detection.score)
            of_label[-1] = replace(last, end_sec=end, score=score)
        else:
            of_label.append(detection)
    return tuple(sorted(chain.from_iterable(whole.values()), key=attrgetter("start_sec")))


def apart(detections: Iterable[Detection]) -> tuple[Detection, ...]:
    """Detections of which no two overlap, best first: the better one has the moments that several claim.

    A detection keeps what better ones leave of it, in pieces where one of them lies inside it. It goes where that is
    less than half of it, and where more than a tenth of it is that of its own label already: two guesses at one thing.
    It depends on better ones alone, so that those above a score are the same whether the others are left out before or
    after.
    """
    kept: list[Detection] = []
    for detection in best_first(detections):
        length = detection.end_sec - detection.start_sec
        before = [one for one in kept if one.start_sec < detection.end_sec and detection.start_sec < one.end_sec]
        pieces = _uncovered(detection, before)
        beside_own = _uncovered(detection, [one for one in before if one.label == detection.label])
        if _seconds(pieces) >= (1 - MOST_COVERED) * length and _seconds(beside_own) >= (1 - SLIVER) * length > 0:
            whole = [(start, end) for start, end in pieces if end - start >= SLIVER * length]
            kept += [replace(detection, start_sec=start, end_sec=end) for start, end in whole]
    return tuple(kept)


def _seconds(pieces: Iterable[tuple[float, float]]) -> float:
    return math.fsum(end - start for start, end in pieces)


def _uncovered(detection: Detection, others: Iterable[Detection]) -> list[tuple[float, float]]:
    """The pieces of a detection outside of others, which do not overlap with each other."""
    pieces, start = [], detection.start_sec
    for other in sorted(others, key=attrgetter("start_sec")):
        pieces.append((start, other.start_sec))
        start = other.end_sec
    pieces.append((start, detection.end_sec))
    return [(since, to) for since, to in pieces if to > since]
