"""Encoders that keep a video's frames apart: as some parts in order, or to be weighted by each text."""

from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.model.temporal import TemporalEncoder


class OrderedParts(TemporalEncoder):
    """A video as the mean frames of its parts in order, side by side; nothing is learned.

    Its product with as many vectors of a text, side by side, is the mean of the parts' cosines with those vectors, part
    by part: sentences that tell one after another what happens are matched to the frames in that order.

    Args:
        width: of the frame features.
        num_parts: equally long parts of a video; a frame on a border counts for both by its share.
        max_frames: see `TemporalEncoder`.

    Source: the temporal descriptors of OST (Chen et al., CVPR 2024), which are matched to frames by optimal transport
    there. Changed: equal parts in order, so that the score stays one product of two vectors.
    """

    def __init__(self, width: int, num_parts: int = 4, max_frames: int = 16) -> None:
        super().__init__(width, num_layers=0, num_heads=1, max_frames=max_frames)
        if num_parts < 1:
            raise InputError(f"num_parts of the temporal encoder must be 1 or more, not {num_parts}.")
        self.num_parts = self.text_parts = self.video_parts = num_parts

    def forward(self, features: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R E"]:
        """The unit mean frames of the parts, side by side; of length 1 together."""
        share = part_shares(mask, self.num_parts).to(features.dtype)
        parts = share @ F.normalize(features.masked_fill(~mask.unsqueeze(-1), 0), dim=-1)
        return F.normalize(F.normalize(parts, dim=-1).flatten(1), dim=-1)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments without the width, ready for JSON."""
        return {"num_parts": self.num_parts, "max_frames": self.max_frames}

    def describe(self) -> str:
        """As `TemporalEncoder.describe`."""
        return f"the frames of each of {self.num_parts} parts averaged, matched in order"


class QueryWeighted(OrderedParts):
    """Frames weighted by each text: those that look like it count more; nothing is learned.

    The score of a video for a text t is the cosine of t with the sum over frames of w_i f_i, where f_i are unit frame
    features and w = softmax over frames of cos(f_i, t) / tau.

    Args:
        width: of the frame features.
        tau: of the softmax: small for the best frame alone, large for the mean of all.
        num_frames: frames that are kept of a video; longer ones are averaged to so many, in shorter ones some count
            twice.

    Source: CLIP-Hitchhiker's guide to long video retrieval (Bain et al., 2022, arXiv 2205.08508), query-scoring.
    Changed: nothing, but that a fixed number of frames is kept of a video.
    """

    is_linear: ClassVar[bool] = False

    def __init__(self, width: int, tau: float = 0.1, num_frames: int = 16) -> None:
        super().__init__(width, num_frames, num_frames)
        if tau <= 0:
            raise InputError(f"tau of query_weighted must be greater than 0, not {tau:g}.")
        self.tau, self.text_parts = tau, 1

    def product(self, videos: Float[Tensor, "R E"], texts: Float[Tensor, "K D"]) -> Float[Tensor, "R K"]:
        """The cosine of each text with the frames that it has weighted."""
        frames = F.normalize(torch.unflatten(videos, -1, (self.num_parts, -1)), dim=-1)  # (R, T, D)
        cosine = frames @ texts.T  # (R, T, K)
        weight = (cosine / self.tau).softmax(1)
        # The length of the weighted sum, without making it for every pair: from the products of frames.
        squared = torch.einsum("rtk,rts,rsk->rk", weight, frames @ frames.transpose(1, 2), weight)
        return (weight * cosine).sum(1) / squared.clamp(min=1e-12).sqrt()

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments without the width, ready for JSON."""
        return {"tau": self.tau, "num_frames": self.num_parts}

    def describe(self) -> str:
        """As `TemporalEncoder.describe`."""
        return f"frames weighted by each text (tau {self.tau:g})"


def part_shares(mask: Bool[Tensor, "R T"], num_parts: int) -> Float[Tensor, "R P T"]:
    """What each frame is of each part of its video: the part's frames sum to 1.

    Args:
        mask: True at real frames, which stand before all padding.
        num_parts: equally long.
    """
    number = torch.arange(mask.shape[-1], device=mask.device)
    part = torch.arange(num_parts, device=mask.device)
    # In units of a part's length divided by the number of frames, all borders are whole numbers: no rounding.
    total = mask.sum(-1)[:, None, None]
    start = torch.maximum(number * num_parts, part[:, None] * total)
    end = torch.minimum((number + 1) * num_parts, (part[:, None] + 1) * total)
    return (end - start).clamp(min=0) * mask[:, None] / total.clamp(min=1)
