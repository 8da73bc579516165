"""Layers whose weights may also be those of several models, stacked along a new first axis G.

Stacked weights are for input with that axis too: each model's input meets its own weights.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from prompt_video.backbones.frozen_linear import CPU_LINEAR


class Linear(nn.Linear):
    """As torch's."""

    def forward(self, x: Float[Tensor, "*N I"]) -> Float[Tensor, "*N O"]:
        """``x @ weight.T + bias``."""
        if self.weight.ndim == 2:
            return F.linear(x, self.weight, self.bias)
        rows = x.flatten(1, -2)
        if _is_plain_float32_on_cpu(x):
            product: Tensor = _Products.apply(rows, self.weight, self.bias)
        else:
            product = torch.baddbmm(self.bias.unsqueeze(1), rows, self.weight.transpose(1, 2))
        return product.view(*x.shape[:-1], -1)


class LayerNorm(nn.LayerNorm):
    """As torch's, over the last axis."""

    def forward(self, x: Float[Tensor, "*N W"]) -> Float[Tensor, "*N W"]:
        """Normalise, then scale and shift."""
        if self.weight.ndim == 1:
            return super().forward(x)
        if len(self.weight) == 1:
            return F.layer_norm(x, x.shape[-1:], self.weight[0], self.bias[0], self.eps)
        gain, offset = (weight.view(-1, *[1] * (x.ndim - 2), x.shape[-1]) for weight in (self.weight, self.bias))
        return torch.addcmul(offset, F.layer_norm(x, x.shape[-1:], eps=self.eps), gain)


def _is_plain_float32_on_cpu(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


class _Products(torch.autograd.Function):
    """Model by model with the faster of torch's two matrix libraries; see `frozen_linear`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        ctx.save_for_backward(x, weight)
        return _joined([_product(*parts) for parts in zip(x, weight, bias, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's own
        x, weight = ctx.saved_tensors
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = _joined([_product(up, own.t()) for up, own in zip(gradient, weight, strict=True)])
        if ctx.needs_input_grad[1]:
            of_weight = _joined([_product(up.t(), rows.t()) for up, rows in zip(gradient, x, strict=True)])
        return of_x, of_weight, gradient.sum(1)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return CPU_LINEAR(x, weight, bias)


def _joined(products: list[Tensor]) -> Tensor:
    return products[0].unsqueeze(0) if len(products) == 1 else torch.stack(products)
