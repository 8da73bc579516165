"""What the detector learns: which points answer for which action, and how far from it they are. Pure functions."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from prompt_video.localization.detector import Coarse, Points, ProposalDetector, Refined
from prompt_video.localization.segments import temporal_iou

CENTER_RADIUS = 1.5  # strides around the middle of an action in which a point answers for it
FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0  # of Lin et al., ICCV 2017
REFINED_FROM = 0.3  # overlap with an action from which a proposal is moved towards it


class Actions(NamedTuple):
    """What happens in each window of a batch, in frames of the window; padded to the most actions of one.

    Args:
        segments: start and end.
        real: False: padding.
        ignored: stretches that are neither action nor background.
    """

    segments: Float[Tensor, "R A 2"]
    real: Bool[Tensor, "R A"]
    ignored: Float[Tensor, "R I 2"]

    @classmethod
    def of(cls, segments: list[Tensor], ignored: list[Tensor]) -> "Actions":
        """Pad the (A, 2) segments and (I, 2) stretches of each window."""
        real = pad_sequence([torch.ones(len(own), dtype=torch.bool, device=own.device) for own in segments], True)
        # A stretch of padding ends before it begins: nothing lies in it.
        nothing = pad_sequence(ignored, batch_first=True, padding_value=-1.0)
        return cls(pad_sequence(segments, batch_first=True), real, nothing)


class DetectorLoss(NamedTuple):
    """The parts of the loss, to be added up; and the proposals that it was taken at.

    Args:
        action: whether there is one, at every point.
        segment: how far the points' segments are off.
        refinement: how far the refined ones are.
        quality: how well the detector knows its own overlap.
        proposals: of every window.
        overlap: of each proposal with the action that it meets best; 0 of those without a real frame.
        best: that action.
    """

    action: Float[Tensor, ""]
    segment: Float[Tensor, ""]
    refinement: Float[Tensor, ""]
    quality: Float[Tensor, ""]
    proposals: Refined
    overlap: Float[Tensor, "R N"]
    best: Int[Tensor, "R N"]

    @property
    def total(self) -> Float[Tensor, ""]:
        """The sum of the four parts, which training minimises."""
        return self.action + self.segment + self.refinement + self.quality


def detector_loss(detector: ProposalDetector, coarse: Coarse, actions: Actions) -> DetectorLoss:
    """The loss of a batch of windows.

    Args:
        detector: that made ``coarse``.
        coarse: of the windows.
        actions: what happens in them.
    """
    match = match_points(coarse.points, actions).masked_fill(~coarse.valid, -1)
    matched = match >= 0
    clear = coarse.valid & (matched | ~_inside(coarse.points.center, actions.ignored))
    num_matched = matched.sum().clamp(min=1)
    action = _focal(coarse.action, matched)[clear].sum() / num_matched
    segment = distance_iou_loss(coarse.segments, _of(actions, match))[matched].sum() / num_matched

    proposals = detector.refine(coarse, detector.likeliest(coarse, matched))
    before, towards = best_overlap(proposals.proposed, actions)
    movable = proposals.valid & (before >= REFINED_FROM)
    moved = distance_iou_loss(proposals.segments, _of(actions, towards))[movable]
    overlap, best = best_overlap(proposals.segments.detach(), actions)
    valid = proposals.valid & ((overlap >= REFINED_FROM) | ~_inside(proposals.center, actions.ignored))
    quality_loss = F.binary_cross_entropy_with_logits(proposals.quality, overlap, reduction="none")[valid]
    return DetectorLoss(
        action=action,
        segment=segment,
        refinement=moved.sum() / max(1, len(moved)),
        quality=quality_loss.sum() / max(1, len(quality_loss)),
        proposals=proposals,
        overlap=overlap.masked_fill(~proposals.valid, 0),
        best=best,
    )


def match_points(points: Points, actions: Actions) -> Int[Tensor, "R P"]:
    """Which action each point answers for; -1: none.

    A point answers for an action that it lies in, near the middle, and whose farther end is in reach of the point's
    scale; of several for the shortest.
    """
    center = points.center[:, None]
    start, end = actions.segments.unsqueeze(1).unbind(-1)  # (R, 1, A)
    farther = torch.maximum(center - start, end - center)
    inside = (center > start) & (center < end)
    near = ((start + end) / 2 - center).abs() <= CENTER_RADIUS * points.stride[:, None]
    in_reach = (farther >= points.reach[:, :1]) & (farther < points.reach[:, 1:])
    length = (end - start).expand(-1, len(points.center), -1)
    length = length.masked_fill(~(inside & near & in_reach & actions.real.unsqueeze(1)), torch.inf)
    if not length.shape[-1]:
        return torch.full(length.shape[:2], -1, device=length.device)
    shortest = length.min(-1)
    return torch.where(shortest.values.isfinite(), shortest.indices, -1)


def best_overlap(segments: Float[Tensor, "R N 2"], actions: Actions) -> tuple[Float[Tensor, "R N"], Int[Tensor, "R N"]]:
    """The highest tIoU of each segment with an action of its window, 0 where there is none; and with which."""
    if not actions.real.shape[1]:
        return segments.new_zeros(segments.shape[:2]), torch.zeros_like(segments[..., 0], dtype=torch.long)
    overlap = temporal_iou(segments.unsqueeze(2), actions.segments.unsqueeze(1))
    return overlap.masked_fill(~actions.real.unsqueeze(1), 0).max(-1)


def distance_iou_loss(segments: Float[Tensor, "R N 2"], target: Float[Tensor, "R N 2"]) -> Float[Tensor, "R N"]:
    """1 - tIoU, and how far the middles lie apart, as a share of what both cover; 0 where they are equal.

    Source: Zheng et al., Distance-IoU loss, AAAI 2020, in one dimension.
    """
    start, end = segments.unbind(-1)
    target_start, target_end = target.unbind(-1)
    both = (torch.minimum(end, target_end) - torch.maximum(start, target_start)).clamp(min=0)
    either = ((end - start) + (target_end - target_start) - both).clamp(min=1e-6)
    hull = (torch.maximum(end, target_end) - torch.minimum(start, target_start)).clamp(min=1e-6)
    apart = (start + end - target_start - target_end) / 2
    return 1 - both / either + (apart / hull).square()


def _focal(logit: Float[Tensor, "R P"], positive: Bool[Tensor, "R P"]) -> Float[Tensor, "R P"]:
    target = positive.to(logit.dtype)
    plain = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
    miss = (logit.sigmoid() - target).abs()
    return (FOCAL_ALPHA * target + (1 - FOCAL_ALPHA) * (1 - target)) * miss**FOCAL_GAMMA * plain


def _of(actions: Actions, index: Int[Tensor, "R N"]) -> Float[Tensor, "R N 2"]:
    """The action with each index; anything where there is none."""
    if not actions.real.shape[1]:
        return actions.segments.new_zeros(*index.shape, 2)
    return actions.segments.gather(1, index.clamp(min=0).unsqueeze(-1).expand(-1, -1, 2))


def _inside(center: Float[Tensor, "*#R N"], stretches: Float[Tensor, "R I 2"]) -> Bool[Tensor, "R N"]:
    """Whether each position lies in one of the stretches of its window."""
    start, end = stretches.unsqueeze(1).unbind(-1)  # (R, 1, I)
    at = center.unsqueeze(-1)
    return ((at >= start) & (at < end)).any(-1)
