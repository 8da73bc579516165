"""What a method is shown of the training videos before it is trained, or in the place of training."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor


class Examples(NamedTuple):
    """Training videos, or segments of them, each with its class.

    Args:
        videos: unit vectors, as the temporal encoder makes them.
        target: index into the class names.
    """

    videos: Float[Tensor, "N E"]
    target: Int[Tensor, " N"]
