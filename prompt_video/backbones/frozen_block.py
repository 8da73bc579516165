"""One pre-LN Transformer block with frozen weights, laid out for speed; both towers are made of it."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from prompt_video.backbones.frozen_linear import frozen_linear

# Both activations as (function, slope): x -> function(slope * x) / slope. QuickGELU is x * sigmoid(1.702 x).
ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "quick_gelu": (F.silu, 1.702),
    "gelu": (F.gelu, 1.0),
}


class FrozenBlock(nn.Module):
    """``x + attention(norm(x))``, then ``x + mlp(norm(x))``, what the heads bring together left to the caller.

    q, k and v come out of one product.

    Args:
        norm1: before attention.
        query: attention's first product, and so on.
        key: see ``query``.
        value: see ``query``.
        out: attention's last product.
        norm2: before the MLP.
        fc1: the MLP's first product.
        fc2: its second.
        num_heads: of the attention.
        activation: one of ``ACTIVATIONS``.
    """

    def __init__(
        self,
        norm1: nn.LayerNorm,
        query: nn.Linear,
        key: nn.Linear,
        value: nn.Linear,
        out: nn.Linear,
        norm2: nn.LayerNorm,
        fc1: nn.Linear,
        fc2: nn.Linear,
        num_heads: int,
        activation: str,
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm1, norm2
        device, dtype = query.weight.device, query.weight.dtype
        self.qkv = nn.Linear(query.in_features, 3 * query.out_features, device=device, dtype=dtype)
        with torch.no_grad():
            self.qkv.weight.copy_(torch.cat([query.weight, key.weight, value.weight]))
            self.qkv.bias.copy_(torch.cat([query.bias, key.bias, value.bias]))
        self.out, self.fc1, self.fc2 = out, fc1, fc2
        self.width, self.num_heads = query.out_features, num_heads
        self.activation, self.slope = ACTIVATIONS[activation]
        self._scaled: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def query_key_value(self, x: Float[Tensor, "*N W"]) -> Float[Tensor, "*N 3 H A"]:
        """What attention needs of every position, head by head."""
        return self._heads(x, slice(None))

    def query(self, x: Float[Tensor, "*N W"]) -> Float[Tensor, "*N 1 H A"]:
        """As ``query_key_value``, for positions that only look."""
        return self._heads(x, slice(self.width))

    def key_value(self, x: Float[Tensor, "*N W"]) -> Float[Tensor, "*N 2 H A"]:
        """As ``query_key_value``, for positions that are only looked at."""
        return self._heads(x, slice(self.width, None))

    def finish(self, x: Float[Tensor, "*N W"], attended: Float[Tensor, "*N W"]) -> Float[Tensor, "*N W"]:
        """The block's output, given its input and what each position's heads brought together."""
        x = frozen_linear(attended, self.out.weight, self.out.bias).add_(x)
        gain, offset, bias1, bias2 = self._scaled_by_slope()
        normed = F.layer_norm(x, (self.width,), gain, offset, self.norm2.eps)
        hidden = self.activation(frozen_linear(normed, self.fc1.weight, bias1))
        change = frozen_linear(hidden, self.fc2.weight, bias2)
        return torch.add(x, change, alpha=1 / self.slope)

    def _scaled_by_slope(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gain and offset of the second norm and both biases of the MLP, times the slope of the activation.

        In vectors the slope costs nothing, and frozen matrices stay as they are.
        """
        own, scaled = self.fc1.bias, self._scaled
        if scaled is None or scaled[2].device != own.device or scaled[2].dtype != own.dtype:
            with torch.inference_mode(False), torch.no_grad():  # a training step may use what is kept
                vectors = self.norm2.weight, self.norm2.bias, self.fc1.bias, self.fc2.bias
                gain, offset, bias1, bias2 = (vector * self.slope for vector in vectors)
            self._scaled = scaled = gain, offset, bias1, bias2
        return scaled

    def _heads(self, x: Float[Tensor, "*N W"], rows: slice) -> Float[Tensor, "*N J H A"]:
        product = frozen_linear(self.norm1(x), self.qkv.weight[rows], self.qkv.bias[rows])
        num_parts = product.shape[-1] // self.width
        return product.view(*x.shape[:-1], num_parts, self.num_heads, self.width // self.num_heads)
