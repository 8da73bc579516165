"""(start, end) pairs: their overlap, non-maximum suppression, and the features inside them. Pure functions."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_ENOUGH = 1e-6  # of a frame; less than that is a rounding error


def temporal_iou(segments: Float[Tensor, "*#shape 2"], others: Float[Tensor, "*#shape 2"]) -> Float[Tensor, "*shape"]:
    """Overlap of segments with others: of each with its own, or with all where one has an axis more.

    Args:
        segments: start and end, in any unit.
        others: as ``segments``.

    Returns:
        Intersection over union in [0, 1]; 0 where both are empty or one is reversed.
    """
    start, end = segments.unbind(-1)
    other_start, other_end = others.unbind(-1)
    intersection = (torch.minimum(end, other_end) - torch.maximum(start, other_start)).clamp(min=0)
    union = (end - start) + (other_end - other_start) - intersection
    # A reversed segment meets nothing, so that its intersection is 0 and its union does not matter.
    return torch.where(intersection > 0, intersection / union, 0)


class Kept(NamedTuple):
    """What suppression leaves, best first; equal scores in the order of class and row."""

    class_index: Int[Tensor, " N"]
    row: Int[Tensor, " N"]
    score: Float[Tensor, " N"]


def nms(segments: Float[Tensor, "P 2"], scores: Float[Tensor, "P K"], threshold: float, max_detections: int) -> Kept:
    """Hard non-maximum suppression of K classes at once, over the same proposals.

    Args:
        segments: start and end of each proposal.
        scores: of each proposal and class; -inf takes a proposal out of a class.
        threshold: a proposal goes when its tIoU with a better one that was kept is greater.
        max_detections: kept at most, of all classes together.

    Returns:
        The best that are left. Of equal scores the lower row counts as the better one.
    """

    def suppress(remaining: Float[Tensor, "A P"], tiou: Float[Tensor, "A P"]) -> Float[Tensor, "A P"]:
        return remaining.masked_fill_(tiou > threshold, -torch.inf)

    return _greedy(segments, _by_class(scores), suppress, max_detections)


def soft_nms(
    segments: Float[Tensor, "P 2"],
    scores: Float[Tensor, "P K"],
    sigma: float,
    max_detections: int,
    min_score: float = 0.0,
) -> Kept:
    """Gaussian Soft-NMS of K classes at once: what overlaps with a better proposal loses score, not its place.

    Args:
        segments: start and end of each proposal.
        scores: of each proposal and class, 0 or greater.
        sigma: each better proposal multiplies the scores of the others by ``exp(-tIoU ** 2 / sigma)``.
        max_detections: kept at most, of all classes together.
        min_score: a proposal goes when its score falls below.

    Returns:
        The best that are left, with their lowered scores. Of equal scores the lower row counts as the better one.

    Raises:
        ValueError: when a score is negative, which multiplication would raise.

    Source: Bodla et al., Soft-NMS, ICCV 2017, equation 4 and figure 2.
    """
    if scores.numel() and scores.min() < 0:
        raise ValueError("Soft-NMS needs scores of 0 or greater; pass them through softmax or sigmoid first.")

    def drop_low(remaining: Float[Tensor, "A P"]) -> Float[Tensor, "A P"]:
        # Written so that NaN goes too: a factor that underflows to 0 makes it of -inf.
        return remaining.masked_fill_(~(remaining >= min_score), -torch.inf)

    def decay(remaining: Float[Tensor, "A P"], tiou: Float[Tensor, "A P"]) -> Float[Tensor, "A P"]:
        return drop_low(remaining.mul_(tiou.square_().div_(-sigma).exp_()))

    return _greedy(segments, drop_low(_by_class(scores)), decay, max_detections)


def _greedy(
    segments: Float[Tensor, "P 2"],
    remaining: Float[Tensor, "K P"],
    lower: Callable[[Tensor, Tensor], Tensor],
    max_detections: int,
) -> Kept:
    """Every class takes its best proposal and lowers the rest, until no class can add to the best of all.

    A class finds its proposals in the order of their final scores. So it is finished when ``max_detections`` of all
    classes are better than its next one, or when it has found as many itself; what follows could only be worse.
    """
    classes = torch.arange(len(remaining), device=remaining.device)
    best = remaining.new_empty(0)  # of all classes, at most `max_detections`
    steps: list[Kept] = []
    for _ in range(max_detections if len(segments) else 0):
        score, row = remaining.max(-1)
        bound = best[-1] if len(best) == max_detections else -torch.inf
        active = (score >= bound) & (score > -torch.inf)
        if not active.all():
            classes, remaining, score, row = classes[active], remaining[active], score[active], row[active]
        if not len(classes):
            break
        steps.append(Kept(classes, row, score))
        best = torch.cat([best, score]).sort(descending=True).values[:max_detections]
        remaining.scatter_(1, row[:, None], -torch.inf)
        remaining = lower(remaining, temporal_iou(segments[row].unsqueeze(1), segments))
    kept = [torch.cat(parts) for parts in zip(*steps, strict=True)] or [classes[:0], classes[:0], best]
    return _best_first(Kept(*kept), max_detections)


def _by_class(scores: Float[Tensor, "P K"]) -> Float[Tensor, "K P"]:
    """A copy that may be changed, each class in one piece of memory."""
    return scores.detach().T.clone(memory_format=torch.contiguous_format)


def _best_first(kept: Kept, count: int) -> Kept:
    order = torch.arange(len(kept.score), device=kept.score.device)
    for values, descending in ((kept.row, False), (kept.class_index, False), (kept.score, True)):
        order = order[values[order].sort(stable=True, descending=descending).indices]
    return Kept(*(values[order[:count]] for values in kept))


def segment_features(
    frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"], segments: Float[Tensor, "R N 2"]
) -> Float[Tensor, "R N D"]:
    """Mean of the frame features inside each segment; frames that it covers in part count by that part.

    Args:
        frames: differentiable.
        mask: True = a real frame; others count nothing, whatever they hold.
        segments: start and end in frames: frame ``i`` covers ``[i, i + 1)``.

    Returns:
        A segment that covers no real frame, or is empty or reversed, has the features of the real frame that its middle
        lies in, or else of the nearest one, of two as near the earlier; zeros where a row has no real frame.
    """
    # Differences of long sums: float32 would lose what the mean of a short segment needs.
    real = mask.double()
    values = frames.double().masked_fill(~mask[..., None], 0)
    bounds = segments.detach().double().clamp(0, mask.shape[1])
    covered = _integral(real[..., None], bounds[..., 1]) - _integral(real[..., None], bounds[..., 0])
    total = _integral(values, bounds[..., 1]) - _integral(values, bounds[..., 0])
    nearest = _nearest_real(mask, segments.detach().double().mean(-1))
    fallback = values.gather(1, nearest[..., None].expand(-1, -1, frames.shape[2]))
    features = torch.where(covered > _ENOUGH, total / covered.clamp(min=_ENOUGH), fallback)
    return features.to(frames.dtype)


def _integral(values: Float[Tensor, "R T D"], bound: Float[Tensor, "R N"]) -> Float[Tensor, "R N D"]:
    """Of the step function with these values, from 0 to each bound."""
    sums = torch.nn.functional.pad(values.cumsum(1), (0, 0, 1, 0))
    index = bound.long().clamp(max=values.shape[1] - 1)
    part = (bound - index)[..., None]
    index = index[..., None].expand(-1, -1, values.shape[2])
    return sums.gather(1, index) + part * values.gather(1, index)


def _nearest_real(mask: Bool[Tensor, "R T"], middle: Float[Tensor, "R N"]) -> Int[Tensor, "R N"]:
    """The real frame whose centre is nearest; any frame where none is real."""
    length = mask.shape[1]
    frames = torch.arange(length, device=mask.device)
    earlier = torch.where(mask, frames, -1).cummax(1).values  # the last real frame up to each one
    later = torch.where(mask, frames, length).flip(1).cummin(1).values.flip(1)
    here = middle.clamp(0, length - 1).long()
    before, after = earlier.gather(1, here), later.gather(1, here)
    is_before = (middle - before - 0.5 <= after + 0.5 - middle) & (before >= 0)
    return torch.where(is_before | (after == length), before, after).clamp(min=0)
