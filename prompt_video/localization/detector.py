"""ProposalDetector: where in a window something happens, whatever it is.

Anchor-free, on the frame features of the frozen backbone: at every point of a pyramid of time scales the detector says
how likely an action is and how far its two ends are; the most likely segments are then refined by what is to be seen
around their ends. All positions are in frames of the window: frame i covers [i, i + 1).

Source: in the spirit of AFSD (Lin et al., CVPR 2021), the design that the paper's own detector follows; targets by
scale and centre sampling as in ActionFormer (Zhang et al., ECCV 2022).
"""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.localization.boundary_refinement import BoundaryRefinement

ACTION_PRIOR = 0.02  # how likely an action is at a point before anything is learned, which steadies the first steps
FIRST_REACH = 4.0  # frames from a point of the finest scale to the farther end of the actions that it finds
SMALLEST_LENGTH = 0.1  # of a segment, frames


class Points(NamedTuple):
    """The P points of the pyramid, alike for all windows of a batch.

    Args:
        center: position.
        stride: frames from one point of its scale to the next.
        reach: the farther end of an action that it finds is this far away: from, up to.
    """

    center: Float[Tensor, " P"]
    stride: Float[Tensor, " P"]
    reach: Float[Tensor, "P 2"]


class Coarse(NamedTuple):
    """What every point says, before refinement."""

    points: Points
    valid: Bool[Tensor, "R P"]  # points with a real frame under them
    action: Float[Tensor, "R P"]  # logit: that an action is here
    segments: Float[Tensor, "R P 2"]
    frames: Float[Tensor, "R T C"]  # the finest scale of the pyramid, for refinement


class Refined(NamedTuple):
    """Proposals: some of the segments, their ends corrected."""

    segments: Float[Tensor, "R N 2"]
    proposed: Float[Tensor, "R N 2"]  # before
    action: Float[Tensor, "R N"]  # logit: that an action is here
    quality: Float[Tensor, "R N"]  # logit of the overlap with it
    valid: Bool[Tensor, "R N"]
    center: Float[Tensor, "R N"]  # of the point that proposed it

    @property
    def confidence(self) -> Float[Tensor, "R N"]:
        """In [0, 1]: the geometric mean of how likely an action is and how well it is met."""
        return (self.action.sigmoid() * self.quality.sigmoid()).sqrt()


class ProposalDetector(nn.Module):
    """Class-agnostic segments of a window.

    Args:
        width: of the frame features.
        channels: of the detector.
        num_scales: of the pyramid; each is half as fine as the one before.
        num_proposals: of each window, the likeliest ones, whose ends are refined.
        dropout: of the detector's own frame features, in training.
    """

    def __init__(
        self, width: int, channels: int = 256, num_scales: int = 6, num_proposals: int = 100, dropout: float = 0.1
    ) -> None:
        super().__init__()
        if min(channels, num_scales, num_proposals) < 1 or not 0 <= dropout < 1:
            raise InputError(
                "detector: channels, num_scales and num_proposals must be 1 or more, and dropout in [0, 1), not "
                f"{channels}, {num_scales}, {num_proposals} and {dropout}."
            )
        self.channels, self.num_scales, self.num_proposals, self.dropout = channels, num_scales, num_proposals, dropout
        self.norm = nn.LayerNorm(width)
        self.stem = nn.ModuleList([MaskedConv(width, channels), MaskedConv(channels, channels)])
        self.down = nn.ModuleList(MaskedConv(channels, channels, stride=2) for _ in range(num_scales - 1))
        self.up = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(num_scales))
        self.action_tower = nn.ModuleList(MaskedConv(channels, channels) for _ in range(2))
        self.distance_tower = nn.ModuleList(MaskedConv(channels, channels) for _ in range(2))
        self.action = nn.Conv1d(channels, 1, 3, padding=1)
        self.distances = nn.Conv1d(channels, 2, 3, padding=1)
        self.scale = nn.Parameter(torch.ones(num_scales))
        self.refinement = BoundaryRefinement(channels)
        nn.init.constant_(self.action.bias, math.log(ACTION_PRIOR / (1 - ACTION_PRIOR)))  # type: ignore[arg-type]

    def forward(
        self, frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"], generator: torch.Generator | None = None
    ) -> Coarse:
        """What every point says.

        Args:
            frames: of the frozen backbone, not normalised.
            mask: True at real frames; nothing else is looked at.
            generator: of dropout, on the same device; None: PyTorch's own.
        """
        num_frames = frames.shape[1]
        # The coarsest scale halves the window so many times.
        padding = -num_frames % 2 ** (self.num_scales - 1)
        normed = self.norm(frames.masked_fill(~mask.unsqueeze(-1), 0)).masked_fill(~mask.unsqueeze(-1), 0)
        x = F.pad(normed.transpose(1, 2), (0, padding))
        real = F.pad(mask, (0, padding))
        for layer in self.stem:
            x = layer(x, real)
        if self.training and self.dropout:
            x = _dropout(x, self.dropout, generator)
        scales, masks = [x], [real]
        for layer in self.down:
            masks.append(torch.unflatten(masks[-1], 1, (-1, 2)).any(-1))
            scales.append(layer(scales[-1], masks[-1]))
        merged = self.up[-1](scales[-1]) * masks[-1].unsqueeze(1)
        pyramid = [merged]
        for level in range(self.num_scales - 2, -1, -1):
            merged = self.up[level](scales[level]) + merged.repeat_interleave(2, dim=-1)
            merged = merged * masks[level].unsqueeze(1)  # a coarse position may be real where a fine one is not
            pyramid.insert(0, merged)
        return self._heads(pyramid, masks, num_frames)

    def _heads(self, pyramid: list[Tensor], masks: list[Tensor], num_frames: int) -> Coarse:
        points = pyramid_points(pyramid[0].shape[-1], self.num_scales, pyramid[0])
        actions, distances = [], []
        for level, (x, real) in enumerate(zip(pyramid, masks, strict=True)):
            likely, far = x, x
            for one, other in zip(self.action_tower, self.distance_tower, strict=True):
                likely, far = one(likely, real), other(far, real)
            actions.append(self.action(likely).squeeze(1))
            distances.append(F.softplus(self.distances(far) * self.scale[level]).transpose(1, 2))
        distance = torch.cat(distances, dim=1).to(points.stride.dtype) * points.stride[:, None]
        center = points.center[:, None]
        segments = torch.cat([center - distance[..., :1], center + distance[..., 1:]], dim=-1)
        return Coarse(
            points,
            torch.cat(masks, dim=1),
            torch.cat(actions, dim=1),
            segments,
            pyramid[0].transpose(1, 2)[:, :num_frames],
        )

    def refine(self, coarse: Coarse, chosen: Int[Tensor, "R N"]) -> Refined:
        """Correct the ends of some segments.

        Args:
            coarse: what every point says.
            chosen: points, of each window.
        """
        # What is refined is taken as given: refinement does not teach the points.
        segments = coarse.segments.detach().gather(1, chosen.unsqueeze(-1).expand(-1, -1, 2))
        real = coarse.valid[:, : coarse.frames.shape[1]]  # the finest scale comes first
        moves, quality = self.refinement(coarse.frames, real, segments)
        length = (segments[..., 1:] - segments[..., :1]).clamp(min=SMALLEST_LENGTH)
        return Refined(
            segments=segments + moves * length,
            proposed=segments,
            action=coarse.action.gather(1, chosen),
            quality=quality,
            valid=coarse.valid.gather(1, chosen),
            center=coarse.points.center[chosen],
        )

    def likeliest(self, coarse: Coarse, wanted: Bool[Tensor, "R P"] | None = None) -> Int[Tensor, "R N"]:
        """The points of each window to refine.

        Args:
            coarse: what every point says.
            wanted: points that come before all others.
        """
        order = coarse.action.detach().masked_fill(~coarse.valid, -torch.inf)
        if wanted is not None:
            order = order + wanted * 1e4
        return order.topk(min(self.num_proposals, order.shape[1])).indices

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments without the width, ready for JSON."""
        return {name: getattr(self, name) for name in ("channels", "num_scales", "num_proposals", "dropout")}


class MaskedConv(nn.Module):
    """Convolution over time, layer norm at every position, ReLU; what is not real stays zero.

    Args:
        inputs: channels.
        outputs: channels.
        stride: 2 halves the number of positions.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, 3, stride=stride, padding=1)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Float[Tensor, "R I T"], mask: Bool[Tensor, "R S"]) -> Float[Tensor, "R O S"]:
        """Features at every position that ``mask``, which is of the output, says is real; zero elsewhere."""
        x = self.norm(self.conv(x).transpose(1, 2)).transpose(1, 2)
        return F.relu(x) * mask.unsqueeze(1)


def pyramid_points(num_frames: int, num_scales: int, like: Tensor) -> Points:
    """All points of a window, the finest scale first.

    Args:
        num_frames: of the window; a multiple of the coarsest stride.
        num_scales: of the pyramid.
        like: gives device and dtype; half precision would not tell neighbouring frames apart.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    centers, strides, reaches = [], [], []
    for level in range(num_scales):
        stride = 2.0**level
        center = (torch.arange(num_frames // 2**level, device=like.device, dtype=dtype) + 0.5) * stride
        nearest = 0.0 if level == 0 else FIRST_REACH * stride / 2
        farthest = FIRST_REACH * stride if level < num_scales - 1 else math.inf
        centers.append(center)
        strides.append(torch.full_like(center, stride))
        reaches.append(torch.stack([torch.full_like(center, nearest), torch.full_like(center, farthest)], dim=-1))
    return Points(torch.cat(centers), torch.cat(strides), torch.cat(reaches))


def _dropout(x: Float[Tensor, "R C T"], share: float, generator: torch.Generator | None) -> Float[Tensor, "R C T"]:
    kept = torch.rand(x.shape, generator=generator, device=x.device) >= share
    return x * kept / (1 - share)
