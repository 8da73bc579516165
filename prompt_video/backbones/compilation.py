"""torch.compile as this project uses it: for functions of tensors alone, whose shapes come back at every step."""

from collections.abc import Callable
from functools import cache

import torch


@cache
def compiled_for(device: str, function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A function compiled for a kind of device.

    Args:
        device: on a GPU (``cuda``) kernels are captured and replayed, so that starting them costs next to nothing;
            elsewhere they are fused.
        function: of tensors.
    """
    mode = "reduce-overhead" if device == "cuda" else "default"
    return torch.compile(function, fullgraph=True, mode=mode)
