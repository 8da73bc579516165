"""The detections of one video held against the truth: which are right, and how well it went."""

from collections.abc import Sequence
from dataclasses import dataclass

from data_modules.annotations.activitynet_format import Annotation, Detection

TIOU = 0.5


@dataclass(frozen=True)
class Verdicts:
    """Of one video.

    Args:
        right: of each detection.
        detected: of each true action.
    """

    right: tuple[bool, ...]
    detected: tuple[bool, ...]

    @property
    def f1(self) -> float:
        """2 right / (detections + true actions); 1 where there is nothing to find and nothing was found."""
        total = len(self.right) + len(self.detected)
        return 2 * sum(self.right) / total if total else 1.0

    def __str__(self) -> str:
        wrong = self.right.count(False)
        return f"{sum(self.detected)} of {len(self.detected)} found, {wrong or 'none'} wrong"


def judge(detections: Sequence[Detection], truth: Sequence[Annotation], tiou: float = TIOU) -> Verdicts:
    """Find out which detections are right.

    The best detection chooses first: of the true actions of its label that none has taken, the one that it overlaps
    most. So of two detections of one action only one is right, as in mean average precision.

    Args:
        detections: of one video.
        truth: what happens in it.
        tiou: the overlap, intersection over union, that makes a detection right.
    """
    right, detected = [False] * len(detections), [False] * len(truth)
    for number in sorted(range(len(detections)), key=lambda n: -detections[n].score):
        overlaps = {
            place: _overlap(detections[number], action)
            for place, action in enumerate(truth)
            if action.label == detections[number].label and not detected[place]
        }
        place = max(overlaps, key=overlaps.__getitem__, default=-1)
        if place >= 0 and overlaps[place] >= tiou:
            right[number] = detected[place] = True
    return Verdicts(tuple(right), tuple(detected))


def _overlap(one: Detection, other: Annotation) -> float:
    """Intersection over union; 0 with an action that was annotated as ending before it starts."""
    shared = min(one.end_sec, other.end_sec) - max(one.start_sec, other.start_sec)
    union = max(one.end_sec, other.end_sec) - min(one.start_sec, other.start_sec)
    return max(0.0, shared) / union if union > 0 and other.end_sec > other.start_sec else 0.0
