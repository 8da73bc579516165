"""Random weights of large models, out of one pool: to draw so many takes longer than all that is done with them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

POOL = 4_194_301  # a prime, so that no row of a weight is that of another


def fill(model: nn.Module) -> None:
    """Give each weight of a model random numbers of the size that they have when a training begins."""
    generator = torch.Generator().manual_seed(0)
    pool = torch.randn(2 * POOL, generator=generator)
    for name, weight in model.named_parameters():
        around = 1.0 if weight.ndim == 1 and name.endswith("weight") else 0.0  # of norms
        scale = 0.02 if "embedding" in name else 0.05 if weight.ndim < 2 else 0.5 * weight[0].numel() ** -0.5
        flat, first = weight.data.view(-1), int(torch.randint(POOL, (1,), generator=generator))
        for part in torch.split(flat, POOL):
            torch.mul(pool[first : first + len(part)], scale, out=part)
        if around:
            flat.add_(around)


def made(make: Callable[[], Any]) -> Any:  # noqa: ANN401 - transformers is untyped
    """A model of transformers, to be looked at alone."""
    with torch.device("meta"):
        model = make()
    model = model.to_empty(device="cpu").eval().requires_grad_(False)
    for name, positions in model.named_buffers():
        assert name.endswith("position_ids"), name
        positions.copy_(torch.arange(positions.shape[-1]))
    fill(model)
    return model
