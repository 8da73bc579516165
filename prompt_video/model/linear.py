"""The product with learned weights, by the faster of torch's two matrix libraries on CPUs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from prompt_video.backbones.frozen_linear import CPU_LINEAR

_chosen = ContextVar("_chosen", default=False)


@contextmanager
def faster_products() -> Iterator[None]:
    """The faster library inside, which rounds otherwise: worth it where these products are much of a step."""
    token = _chosen.set(True)
    try:
        yield
    finally:
        _chosen.reset(token)


class Linear(nn.Linear):
    """As torch's; inside of `faster_products`, the other library is taken where there are gradients."""

    def forward(self, x: Float[Tensor, "*N I"]) -> Float[Tensor, "*N O"]:
        """``x @ weight.T + bias``."""
        # torch.compile chooses a library by itself, and so does what runs an exported graph.
        is_traced = torch.compiler.is_compiling() or torch.compiler.is_exporting()
        is_plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        if is_traced or not is_plain or not torch.is_grad_enabled() or not _chosen.get():
            return F.linear(x, self.weight, self.bias)
        product: Tensor = _Product.apply(x.flatten(0, -2), self.weight, self.bias)
        return product.view(*x.shape[:-1], self.out_features)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return CPU_LINEAR(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:  # noqa: ANN401 - torch's
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's own
        x, weight = ctx.saved_tensors
        of_x = CPU_LINEAR(gradient, weight.t(), None) if ctx.needs_input_grad[0] else None
        of_weight = CPU_LINEAR(gradient.t(), x.t(), None) if ctx.needs_input_grad[1] else None
        return of_x, of_weight, gradient.sum(0)

    @staticmethod
    def vmap(info: Any, in_dims: Any, *inputs: Tensor) -> tuple[Tensor, int]:  # noqa: ANN401 - torch's own
        """Of several models: one product after another."""
        parts = (
            [part] * info.batch_size if axis is None else part.unbind(axis)
            for part, axis in zip(inputs, in_dims, strict=True)
        )
        return torch.stack([_Product.apply(*own) for own in zip(*parts, strict=True)]), 0
