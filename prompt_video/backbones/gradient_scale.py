"""Gradients through a frozen encoder that computes in float16, whose range is too small for them as they come."""

import torch
from torch import Tensor


class GradientScale:
    """A power of two for one way back: gradients are multiplied by it behind the encoder, and divided before it.

    Through frozen weights the way back is linear, so that gradients come out as they otherwise would, only that none
    of them is too small to be told from zero on the way. The factor brings the largest to between 1 and 2.
    """

    factor: Tensor

    def behind(self, features: Tensor) -> Tensor:
        """Features as they come out of the encoder, in float32; scales the gradients that go into it."""
        if features.requires_grad:
            features.register_hook(self._scaled)  # type: ignore[no-untyped-call]
        return features.view_as(features)  # whose own gradient stays as it comes

    def before(self, inputs: Tensor) -> Tensor:
        """The encoder's input, in float32; takes the scale out of the gradients that come from it."""
        inputs = inputs.view_as(inputs)
        if inputs.requires_grad:
            inputs.register_hook(lambda gradient: gradient / self.factor)  # type: ignore[no-untyped-call]
        return inputs

    def _scaled(self, gradient: Tensor) -> Tensor:
        largest = gradient.abs().amax().clamp(min=torch.finfo(gradient.dtype).tiny)
        self.factor = torch.exp2(-torch.log2(largest).floor())
        return gradient * self.factor
