"""Gradients through a frozen encoder that computes in float16, whose range is too small for them as they come."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class GradientScale:
    """A power of two for one way back: gradients are multiplied by it behind the encoder, and divided before it.

    Through frozen weights the way back is linear, so that gradients come out as they otherwise would, only that none
    of them is too small to be told from zero on the way. The factor brings the largest to between 1 and 2.
    """

    factor: Tensor

    def behind(self, features: Tensor) -> Tensor:
        """Features as they come out of the encoder, in float32; scales the gradients that go into it."""
        result: Tensor = _Behind.apply(features, self)
        return result

    def before(self, inputs: Tensor) -> Tensor:
        """The encoder's input, in float32; takes the scale out of the gradients that come from it."""
        result: Tensor = _Before.apply(inputs, self)
        return result


class _Behind(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, scale: GradientScale) -> Tensor:  # noqa: ANN401 - torch's own
        ctx.scale = scale
        return features.view_as(features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch's own
        largest = gradient.abs().amax().clamp(min=torch.finfo(gradient.dtype).tiny)
        ctx.scale.factor = torch.exp2(-torch.log2(largest).floor())
        return gradient * ctx.scale.factor, None


class _Before(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, scale: GradientScale) -> Tensor:  # noqa: ANN401 - torch's own
        ctx.scale = scale
        return inputs.view_as(inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - torch's own
        return gradient / ctx.scale.factor, None
