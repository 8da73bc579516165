"""Segments without training: where a text's smoothed similarity with a video is high."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from data_modules.annotations.activitynet_format import Detection
from prompt_video.inference.results import SimilarityCurve, VideoSegments
from prompt_video.model.rejection import Rejection

SMOOTHING_SEC = 3.0
SHARE_OF_PEAK = 0.5  # what is at least this share of a text's peak belongs to a segment
LOWEST_PEAK = 0.2  # a text that never reaches this probability is nowhere
MOST_SEGMENTS = 200
LEAST_SCORE = 0.001


def video_segments(
    curve: SimilarityCurve,
    min_score: float = LEAST_SCORE,
    max_segments: int = MOST_SEGMENTS,
    rejection: Rejection | None = None,
) -> VideoSegments:
    """What happens when, see `segments_of`."""
    segments = tuple(segments_of(curve, min_score, max_segments, rejection))
    return VideoSegments(curve.video, curve.texts, segments, curve.duration_sec, "training-free", rejection)


def presence(curve: SimilarityCurve) -> Float[Tensor, "N K"]:
    """How likely each text is at each moment, in [0, 1], against the others and against what is usual in this video.

    Of a model of several labels it is how likely each text is by itself. Else what is usual stands as one more
    candidate: the mean over time of the best text's score. So a single text has ups and downs too, and all of them may
    be unlikely at once.
    """
    logits = curve.scores
    if curve.independent is not None:
        return curve.independent.probabilities(logits).float()
    usual = logits.amax(-1).mean().expand(len(logits), 1)
    return torch.cat([logits, usual], dim=-1).softmax(-1)[:, :-1]


def smoothed(values: Float[Tensor, "N K"], width: int) -> Float[Tensor, "N K"]:
    """The mean over ``width`` moments around each one, fewer at both ends; ``width`` is odd."""
    columns = values.T.unsqueeze(1)
    kernel = torch.ones(1, 1, width, dtype=values.dtype)
    total = F.conv1d(columns, kernel, padding=width // 2)
    count = F.conv1d(torch.ones_like(columns[:1]), kernel, padding=width // 2)
    return (total / count).squeeze(1).T


def segments_of(
    curve: SimilarityCurve, min_score: float = 0.0, max_segments: int = 200, rejection: Rejection | None = None
) -> list[Detection]:
    """Stretches in which a text is likely, best first; the score is the mean of its presence there.

    By a rule those are left out in which the mean confidence is too low, or of several labels that of the text.
    """
    values, confidence = presence(curve), curve.confidence
    step = (curve.times_sec[-1] - curve.times_sec[0]).item() / max(len(values) - 1, 1)
    if step > 0:
        values = smoothed(values, 2 * round(SMOOTHING_SEC / step / 2) + 1)
    half = max(step, 0.0) / 2
    times = curve.times_sec.tolist()
    segments = []
    # Of very many texts only those that are likely somewhere are looked at one by one.
    for k in (values.amax(0) >= LOWEST_PEAK).nonzero().flatten().tolist():
        column = values[:, k]
        for first, last in _runs(column >= SHARE_OF_PEAK * column.max()):
            start = curve.start_sec if first == 0 else times[first] - half
            end = curve.duration_sec if last == len(times) - 1 else times[last] + half
            score = column[first : last + 1].mean().item()
            sure = confidence if curve.independent is None else column
            is_known = rejection is None or bool(rejection.is_known(sure[first : last + 1].mean()))
            if score >= min_score and end > start and is_known:
                segments.append(Detection(curve.texts[k], start, end, score))
    return sorted(segments, key=lambda one: -one.score)[:max_segments]


def _runs(chosen: Bool[Tensor, " N"]) -> list[tuple[int, int]]:
    """First and last place of every unbroken run."""
    change = F.pad(chosen.int(), (1, 1)).diff()
    starts, ends = (change == 1).nonzero().flatten(), (change == -1).nonzero().flatten() - 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
