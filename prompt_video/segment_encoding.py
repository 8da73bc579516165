"""Segments of a window to one feature each, through the temporal encoder."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from prompt_video.segments import segment_features
from prompt_video.temporal import TemporalEncoder


def encode_segments(
    temporal: TemporalEncoder,
    frames: Float[Tensor, "R T D"],
    mask: Bool[Tensor, "R T"],
    segments: Float[Tensor, "R N 2"],
    chosen: Bool[Tensor, "R N"],
    frames_inside: int | None,
) -> Float[Tensor, "M D"]:
    """One feature for each of the M chosen segments, not normalised, window by window.

    Args:
        temporal: the temporal encoder.
        frames: of the frozen CLIP, not normalised.
        mask: True at real frames.
        segments: start and end in frames of the window: frame i covers [i, i + 1).
        chosen: the segments that are wanted.
        frames_inside: so many frames, evenly spread over a segment, look at each other and are averaged, just as those
            of a trimmed video. None: all frames of the window look at each other, and those inside are averaged.
    """
    if frames_inside is None:
        return segment_features(temporal.frame_features(frames, mask), mask, segments)[chosen]
    rows, _ = chosen.nonzero(as_tuple=True)
    start, end = segments[chosen].unbind(-1)
    place = (torch.arange(frames_inside, device=frames.device, dtype=frames.dtype) + 0.5) / frames_inside
    inside, real = interpolated(frames, mask, rows, torch.lerp(start[:, None], end[:, None], place))
    features: Tensor = temporal(inside, real)
    return features


def interpolated(
    frames: Float[Tensor, "R T D"],
    mask: Bool[Tensor, "R T"],
    rows: Int[Tensor, " M"],
    positions: Float[Tensor, "M S"],
) -> tuple[Float[Tensor, "M S D"], Bool[Tensor, "M S"]]:
    """Features at positions between frames; frame i stands at i + 0.5, and positions outside take the nearest frame.

    Args:
        frames: of each window.
        mask: True at real frames.
        rows: the window of each of M lists of positions.
        positions: in frames.

    Returns:
        The features; and False where one would be made of a frame that is not real. Of a list without a single real
        one all count as real: the features are then zero.
    """
    last = frames.shape[1] - 1
    at = (positions - 0.5).clamp(0, last)
    left = at.floor().long()
    right = (left + 1).clamp(max=last)
    share = at - left
    here = rows[:, None]
    values = frames.masked_fill(~mask.unsqueeze(-1), 0)
    features = torch.lerp(values[here, left], values[here, right], share.unsqueeze(-1))
    real = (mask[here, left] | (share == 1)) & (mask[here, right] | (share == 0))
    return features, real | ~real.any(-1, keepdim=True)
