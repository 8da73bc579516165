"""Frames of a video in another order: what shows whether a model looks at it."""

import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Order = Literal["shuffled", "reversed"]


def reordered(
    frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"], order: Order, keys: Sequence[str]
) -> Float[Tensor, "R T D"]:
    """The same frames, with the real ones of each row in another order.

    Args:
        frames: of views or segments.
        mask: True at real frames; padding stays where it is.
        order: ``reversed``, or ``shuffled``: at random, and for one key always the same, whatever the batch.
        keys: one a row.
    """
    return torch.take_along_dim(frames, _places(mask, order, keys).unsqueeze(-1), dim=1)


def middle_frame(frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R 1 D"]:
    """The middle one of the real frames of each row; of an even number the earlier one."""
    place = _in_front(_numbers(mask), mask).gather(1, (mask.sum(1, keepdim=True) - 1).clamp(min=0) // 2)
    return torch.take_along_dim(frames, place.unsqueeze(-1), dim=1)


def _numbers(mask: Bool[Tensor, "R T"]) -> Int[Tensor, "R T"]:
    return torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)


def _in_front(places: Int[Tensor, "R T"], mask: Bool[Tensor, "R T"]) -> Int[Tensor, "R T"]:
    """Places with those of real frames before those of padding, else in their order."""
    return places.gather(1, mask.gather(1, places).int().argsort(dim=1, descending=True, stable=True))


def _places(mask: Bool[Tensor, "R T"], order: Order, keys: Sequence[str]) -> Int[Tensor, "R T"]:
    """Where the frame at each place comes from."""
    number = _numbers(mask)
    if order == "reversed":
        wanted = number.flip(1)
    else:
        # Drawn one after another, so that a row's are the same beside any padding.
        drawn = [np.random.default_rng(zlib.crc32(key.encode())).random(mask.shape[1]) for key in keys]
        wanted = torch.from_numpy(np.argsort(drawn, axis=1)).to(mask.device)
    return torch.empty_like(number).scatter_(1, _in_front(number, mask), _in_front(wanted, mask))
