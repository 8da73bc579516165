"""Timelines before they are drawn: a row for each class, and in it bars that hide none of each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from data_modules.annotations.activitynet_format import Annotation, Detection
from prompt_video.localization.selection import best_first
from prompt_video.localization.verdicts import judge
from prompt_video.reports.film_strip import FilmStrip

MAX_LEVELS = 4  # of detections that overlap in one row; of more, the poorest share the last level

Kind = Literal["annotated", "right", "wrong", "detected"]  # the last one: where nobody knows the truth


@dataclass(frozen=True)
class Bar:
    """A stretch of time.

    Args:
        start_sec: where it begins.
        end_sec: where it ends.
        kind: what it stands for.
        level: in its row, from the top.
        score: of a detection.
        is_covered: whether a better detection lies over a part of it.
    """

    start_sec: float
    end_sec: float
    kind: Kind
    level: int
    score: float | None = None
    is_covered: bool = False


@dataclass(frozen=True)
class TimelineRow:
    """One class of a timeline."""

    label: str
    bars: tuple[Bar, ...]

    @property
    def num_levels(self) -> int:
        """How many levels of bars it has, 1 at least."""
        return 1 + max((bar.level for bar in self.bars), default=0)


@dataclass(frozen=True)
class Timeline:
    """One video and what is known of it.

    Args:
        title: says which video this is.
        detections: those that are shown.
        note: says where the detections come from, and perhaps how good they are.
        truth: what happens in it; None where that is not known, and no detection is right or wrong.
        duration_sec: where the axis ends; None: with the last of them all.
        strip: frames above the rows.
        full_score: drawn in the full colour; None: the best one that is shown.
    """

    title: str
    detections: Sequence[Detection]
    note: str
    truth: Sequence[Annotation] | None = None
    duration_sec: float | None = None
    strip: FilmStrip | None = None
    full_score: float | None = None


def timeline_rows(detections: Sequence[Detection], truth: Sequence[Annotation] | None) -> list[TimelineRow]:
    """One row for each class that occurs, the annotations above the detections.

    Args:
        detections: of one video.
        truth: what happens in it; None where that is not known.

    Returns:
        The true classes in the order in which they happen, then those that were only detected, best first.
    """
    ranked = best_first(detections)
    happens = sorted(truth or (), key=lambda action: action.start_sec)
    kinds: list[Kind] = ["detected"] * len(ranked)
    if truth is not None:
        kinds = ["right" if right else "wrong" for right in judge(ranked, truth).right]
    # An action that was annotated as ending before it starts has no stretch to draw.
    drawn = [action for action in happens if action.end_sec > action.start_sec]
    rows = []
    for label in dict.fromkeys([*(action.label for action in happens), *(detection.label for detection in ranked)]):
        actions = [action for action in drawn if action.label == label]
        upper = [
            Bar(action.start_sec, action.end_sec, "annotated", level)
            for action, (level, _) in zip(actions, stack(actions, len(actions)), strict=True)
        ]
        first = 1 + max((bar.level for bar in upper), default=-1)
        mine = [(d, kind) for d, kind in zip(ranked, kinds, strict=True) if d.label == label]
        levels = stack([detection for detection, _ in mine], MAX_LEVELS)
        lower = [
            Bar(d.start_sec, d.end_sec, kind, first + level, d.score, is_covered)
            for (d, kind), (level, is_covered) in zip(mine, levels, strict=True)
        ]
        rows.append(TimelineRow(label, (*upper, *lower)))
    return rows


def stack(spans: Sequence[Annotation | Detection], max_levels: int) -> list[tuple[int, bool]]:
    """Levels for spans, so that no two on a level overlap as long as there are levels enough.

    Args:
        spans: the most important first; each gets the first level that is free.
        max_levels: the last of them takes what finds no free one.

    Returns:
        For each span its level, and whether it overlaps a more important one there.
    """
    levels: list[list[Annotation | Detection]] = [[] for _ in range(max_levels)]
    chosen = []
    for span in spans:
        is_free = [not any(_overlap(span, other) for other in level) for level in levels]
        level = is_free.index(True) if True in is_free else max_levels - 1
        chosen.append((level, not is_free[level]))
        levels[level].append(span)
    return chosen


def _overlap(one: Annotation | Detection, other: Annotation | Detection) -> bool:
    return one.start_sec < other.end_sec and other.start_sec < one.end_sec
