"""Segments of a window to one feature each, through the temporal encoder."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from prompt_video.localization.interpolation import interpolated
from prompt_video.localization.segments import segment_features
from prompt_video.model.temporal import TemporalEncoder


def encode_segments(
    temporal: TemporalEncoder,
    frames: Float[Tensor, "R T D"],
    mask: Bool[Tensor, "R T"],
    segments: Float[Tensor, "R N 2"],
    chosen: Bool[Tensor, "R N"],
    frames_inside: int | None,
) -> Float[Tensor, "M E"]:
    """One feature for each of the M chosen segments, not normalised, window by window.

    Args:
        temporal: the temporal encoder.
        frames: of the frozen backbone, not normalised.
        mask: True at real frames.
        segments: start and end in frames of the window: frame i covers [i, i + 1).
        chosen: the segments that are wanted.
        frames_inside: so many frames, evenly spread over a segment, look at each other and are averaged, just as those
            of a trimmed video. None: all frames of the window look at each other, and those inside are averaged.
    """
    if frames_inside is None:
        return segment_features(temporal.frame_features(frames, mask), mask, segments)[chosen]
    features: Tensor = temporal(*frames_in_segments(frames, mask, segments, chosen, frames_inside))
    return features


def frames_in_segments(
    frames: Float[Tensor, "R T D"],
    mask: Bool[Tensor, "R T"],
    segments: Float[Tensor, "R N 2"],
    chosen: Bool[Tensor, "R N"],
    count: int,
) -> tuple[Float[Tensor, "M F D"], Bool[Tensor, "M F"]]:
    """Frames that are evenly spread over each of the M chosen segments, and which of them are real.

    Args:
        frames: see `encode_segments`, as the others.
        mask: True at real frames.
        segments: start and end in frames of the window.
        chosen: the segments that are wanted.
        count: of a segment.
    """
    rows, _ = chosen.nonzero(as_tuple=True)
    start, end = segments[chosen].unbind(-1)
    place = (torch.arange(count, device=frames.device, dtype=frames.dtype) + 0.5) / count
    inside, real = interpolated(frames, mask, rows, torch.lerp(start[:, None], end[:, None], place))
    # A segment without a single real frame has zeros, all of which count: attention needs something to look at.
    return inside, real | ~real.any(-1, keepdim=True)
