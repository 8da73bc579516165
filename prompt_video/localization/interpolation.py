"""Features at positions between frames. Pure."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def interpolated(
    frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"], rows: Int[Tensor, " M"], positions: Float[Tensor, "M S"]
) -> tuple[Float[Tensor, "M S D"], Bool[Tensor, "M S"]]:
    """Features at positions between frames; frame i stands at i + 0.5.

    Only real frames count: where one of two neighbours is not real, the other one is taken, and before the first and
    behind the last real frame of a window these. So neither padding nor what is hidden changes anything.

    Args:
        frames: of each window.
        mask: True at real frames.
        rows: the window of each of M lists of positions.
        positions: in frames.

    Returns:
        The features; and False where neither neighbour is real, whose features are zero.
    """
    num_frames = mask.shape[1]
    first = mask.int().argmax(1)[rows, None]
    last = (num_frames - 1 - mask.flip(1).int().argmax(1))[rows, None]
    at = (positions - 0.5).clamp(min=first).clamp(max=last)
    left = at.floor().long()
    right = (left + 1).clamp(max=num_frames - 1)
    here, share = rows[:, None], at - left
    left_real, right_real = mask[here, left], mask[here, right] & (share > 0)
    share = torch.where(left_real & right_real, share, right_real.to(share.dtype))
    values = frames.masked_fill(~mask.unsqueeze(-1), 0)  # whatever they hold, NaN too
    features = torch.lerp(values[here, left], values[here, right], share.unsqueeze(-1).to(frames.dtype))
    return features, left_real | right_real
