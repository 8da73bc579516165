"""The product with frozen weights, on which nearly all of a backbone's time is spent."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from prompt_video.compat import cpu_linear

CPU_LINEAR = cpu_linear()


def frozen_linear(x: Float[Tensor, "*N I"], weight: Float[Tensor, "O I"], bias: Tensor | None) -> Float[Tensor, "*N O"]:
    """``x @ weight.T + bias``; gradients reach ``x`` only."""
    # torch.compile chooses a library by itself, and so does what runs an exported graph.
    is_traced = torch.compiler.is_compiling() or torch.compiler.is_exporting()
    if is_traced or x.device.type != "cpu" or x.dtype != torch.float32:
        return F.linear(x, weight, bias)
    if torch.is_grad_enabled() and x.requires_grad:
        return _Product.apply(x, weight, bias)  # type: ignore[no-any-return]
    return CPU_LINEAR(x, weight, bias)


def linear_of(weight: Float[Tensor, "O I"], bias: Float[Tensor, " O"] | None = None) -> nn.Linear:
    """A product with these weights, which are frozen."""
    module = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")  # nothing is drawn
    module.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    if bias is not None:
        module.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return module


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: ANN401 - torch's own
        ctx.save_for_backward(weight)
        return CPU_LINEAR(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401 - torch's own
        (weight,) = ctx.saved_tensors
        return CPU_LINEAR(gradient, weight.t(), None), None, None
