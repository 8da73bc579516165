"""One pre-LN Transformer block with frozen weights, laid out for speed; both towers are made of it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.frozen_linear import frozen_linear, linear_of
from prompt_video.backbones.weights import Weights

# Activations as (function, slope): x -> function(slope * x) / slope. QuickGELU is x * sigmoid(1.702 x).
ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "quick_gelu": (F.silu, 1.702),
    "gelu": (F.gelu, 1.0),
    "gelu_pytorch_tanh": (partial(F.gelu, approximate="tanh"), 1.0),
}


class FrozenBlock(nn.Module):
    """``x + attention(norm(x))``, then ``x + mlp(norm(x))``; a caller may bring together by itself what the heads do.

    Args:
        norm1: before attention; an identity where there is none.
        qkv: attention's first product: queries, keys and values of all heads, in this order.
        out: attention's last product.
        norm2: before the MLP.
        fc1: the MLP's first product.
        fc2: its second.
        num_heads: of the attention.
        activation: one of ``ACTIVATIONS``.
    """

    def __init__(
        self,
        norm1: nn.LayerNorm | nn.Identity,
        qkv: nn.Linear,
        out: nn.Linear,
        norm2: nn.LayerNorm,
        fc1: nn.Linear,
        fc2: nn.Linear,
        num_heads: int,
        activation: str,
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm1, norm2
        self.qkv, self.out, self.fc1, self.fc2 = qkv, out, fc1, fc2
        self.width, self.num_heads = out.in_features, num_heads
        self.activation, self.slope = ACTIVATIONS[activation]
        self._scaled: tuple[Tensor, Tensor, Tensor, Tensor] | None = None

    def forward(self, x: Float[Tensor, "N T W"], seen: Bool[Tensor, "N 1 1 T"] | None = None) -> Float[Tensor, "N T W"]:
        """The block's output where every position looks at all others, or at those that are ``seen``."""
        rows = x.flatten(0, 1)  # autograd lets `finish` write to a product of a matrix alone
        query, key, value = torch.unflatten(self.query_key_value(rows), 0, x.shape[:2]).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)  # (N, H, T, A)
        return self.finish(rows, attended.transpose(1, 2).flatten(2).flatten(0, 1)).view(x.shape)

    def gathered(
        self, at: Float[Tensor, "M W"], x: Float[Tensor, "N T W"], seen: Bool[Tensor, "N 1 1 T"] | None = None
    ) -> Float[Tensor, "N W"]:
        """What the heads of one position of each row bring together, which is all that a last layer is asked for.

        Args:
            at: the block's input there; one for all rows, or one for each.
            x: the block's input.
            seen: as ``forward``.
        """
        query = self.query(at).transpose(1, 2).expand(x.shape[0], -1, -1, -1)  # (N, H, 1, A)
        key, value = self.key_value(x).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(query, key, value, attn_mask=seen).flatten(1)

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
        gain, offset, bias1, bias2 = self.scaled_by_slope()
        normed = F.layer_norm(x, (self.width,), gain, offset, self.norm2.eps)
        hidden = self.activation(frozen_linear(normed, self.fc1.weight, bias1))
        change = frozen_linear(hidden, self.fc2.weight, bias2)
        return torch.add(x, change, alpha=1 / self.slope)

    def scaled_by_slope(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Gain and offset of the second norm and both biases of the MLP, times the slope of the activation.

        In vectors the slope costs nothing, and frozen matrices stay as they are. They are computed once.
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


def blocks(weights: Weights, name: str, config: Mapping[str, Any]) -> list[FrozenBlock]:
    """A tower's layers, as CLIP and SigLIP call their parts.

    Args:
        weights: of the checkpoint.
        name: in front of the layers' numbers.
        config: of the tower.

    Raises:
        InputError: when its activation is not known.
    """
    activation, width = config["hidden_act"], config["hidden_size"]
    if activation not in ACTIVATIONS:
        raise InputError(
            f"backbone '{weights.name}' has the activation '{activation}'; known: {', '.join(ACTIVATIONS)}."
        )

    def block(layer: str) -> FrozenBlock:
        products = [weights.linear(f"{layer}.self_attn.{part}_proj", width, width) for part in "qkv"]
        return FrozenBlock(
            weights.norm(f"{layer}.layer_norm1", width, config["layer_norm_eps"]),
            linear_of(*(torch.cat([getattr(one, part) for one in products]) for part in ("weight", "bias"))),
            weights.linear(f"{layer}.self_attn.out_proj", width, width),
            weights.norm(f"{layer}.layer_norm2", width, config["layer_norm_eps"]),
            weights.linear(f"{layer}.mlp.fc1", width, config["intermediate_size"]),
            weights.linear(f"{layer}.mlp.fc2", config["intermediate_size"], width),
            config["num_attention_heads"],
            activation,
        )

    return [block(f"{name}.{number}") for number in range(config["num_hidden_layers"])]


def text_parts(
    weights: Weights, config: Mapping[str, Any]
) -> tuple[nn.Embedding, nn.Embedding, list[FrozenBlock], nn.LayerNorm]:
    """A text encoder but for its projection, as CLIP and SigLIP call its parts; see `FrozenTextTower`.

    Args:
        weights: of the checkpoint.
        config: of the tower.

    Raises:
        InputError: as `blocks`.
    """
    width, name = config["hidden_size"], "text_model"
    return (
        weights.embedding(f"{name}.embeddings.token_embedding", config["vocab_size"], width),
        weights.embedding(f"{name}.embeddings.position_embedding", config["max_position_embeddings"], width),
        blocks(weights, f"{name}.encoder.layers", config),
        weights.norm(f"{name}.final_layer_norm", width, config["layer_norm_eps"]),
    )
