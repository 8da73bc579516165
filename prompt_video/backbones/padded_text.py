"""The text encoder in one padded block: few kernels, some arithmetic in vain; for devices that kernels keep waiting.

All texts of a pass are padded to the longest of them, so that the number of kernels depends neither on their number nor
on their lengths. The positions that all texts share, the start token and the learned prefix, are either computed once,
as more rows of the same products, and looked at by all texts; or, where that would save less arithmetic than its
kernels cost, they are a part of every text. As in the packed way only the end tokens pass through the last layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.compilation import compiled_for
from prompt_video.backbones.frozen_block import FrozenBlock
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.text_weights import TextWeights

# A large GPU does some 3e14 half-precision operations a second and takes some 10 microseconds to start a kernel from
# Python; sharing the prefix takes some 20 kernels more for each layer, forward and backward.
FLOPS_A_LAYER_OF_SHARING = 20 * 3e14 * 1e-5


@dataclass(frozen=True)
class Layout:
    """Where everything stands in a block of K texts of T positions each; made once for a list of texts.

    Args:
        shares_prefix: the block holds what stands behind the prefix, and the start token and the prefix stand in front
            of it; otherwise it holds all positions.
        start: position of the block's first column: as many shared positions there are.
        tokens: each position's token; any where there is a learned vector or padding.
        learned: row of the table of learned vectors; 0 where there is a token.
        is_learned: where there is a learned vector.
        end: row of each text's end token, the shared positions and the flattened block taken together.
        later: what a position does not see, as minus infinity.
        behind_end: what an end token does not see, as minus infinity.
    """

    shares_prefix: bool
    start: int
    tokens: Int[Tensor, "K T"]
    learned: Int[Tensor, "K T"]
    is_learned: Bool[Tensor, "K T 1"]
    end: Int[Tensor, " K"]
    later: Float[Tensor, "T S"]
    behind_end: Float[Tensor, "K 1 1 S"]


def encode_padded(
    weights: TextWeights, texts: PromptedText, prefix: Float[Tensor, "P W"], *, compiled: bool = False
) -> Float[Tensor, "K D"]:
    """Features of texts.

    Args:
        weights: of the encoder.
        texts: in any order.
        prefix: that of the texts, or a copy that takes its gradient.
        compiled: by torch.compile: on a GPU the kernels of a list of texts are captured once and replayed.
    """
    layout = _layout(
        tuple(map(tuple, texts.tokens)),
        (len(prefix), texts.num_suffix, texts.by_position),
        pays_to_share(weights, len(texts.tokens) - 1, 1 + len(prefix)),
        (weights.start_token, weights.end_token),
        prefix.device,
        prefix.dtype,
    )
    if compiled:
        # What is replayed writes to the same memory each time.
        return compiled_for(prefix.device.type, _encode)(weights, texts.suffix, prefix, layout).clone()
    return _encode(weights, texts.suffix, prefix, layout)


def _encode(
    weights: TextWeights, suffix: Float[Tensor, "R W"], prefix: Float[Tensor, "P W"], layout: Layout
) -> Float[Tensor, "K D"]:
    """As `encode_padded`, of tensors alone, so that it can be compiled."""
    x = _embed(weights, suffix, prefix, layout).flatten(0, 1)
    if layout.shares_prefix:
        x = torch.cat([_shared_rows(weights, prefix), x])
    for block in weights.blocks[:-1]:
        x = block.finish(x, _attend(block.query_key_value(x), layout))
    return weights.project(_last_layer(weights.blocks[-1], x, layout))


def pays_to_share(weights: TextWeights, num_copies: int, num_shared: int) -> bool:
    """Whether computing the shared positions once saves more than the kernels that it takes.

    Args:
        weights: of the encoder.
        num_copies: how often each shared position would be computed in vain.
        num_shared: of the start token and the prefix.
    """
    per_position = 2 * 2 * sum(weight.numel() for weight in weights.blocks[0].parameters())  # forward and backward
    return num_copies * num_shared * per_position > FLOPS_A_LAYER_OF_SHARING


def _shared_rows(weights: TextWeights, prefix: Float[Tensor, "P W"]) -> Float[Tensor, "N W"]:
    """Input of the first layer at the start token and the prefix."""
    rows = torch.cat([weights.token_embedding.weight[weights.start_token, None], prefix])
    return rows + weights.positions.weight[: len(rows)]


def _embed(
    weights: TextWeights, suffix: Float[Tensor, "R W"], prefix: Float[Tensor, "P W"], layout: Layout
) -> Float[Tensor, "K T W"]:
    """Input of the first layer at all other positions."""
    rows: Tensor = weights.token_embedding(layout.tokens)
    learned = suffix if layout.shares_prefix else torch.cat([prefix, suffix])
    if len(learned):
        # Of torch's ways to gather, the embedding adds up gradients in a fixed order on all devices.
        rows = torch.where(layout.is_learned, F.embedding(layout.learned, learned), rows)
    return rows + weights.positions.weight[layout.start : layout.start + rows.shape[1]]


def _attend(heads: Float[Tensor, "N 3 H A"], layout: Layout) -> Float[Tensor, "N W"]:
    """Every position looks at itself and at all before it."""
    if not layout.shares_prefix:
        query, key, value = _by_text(heads, len(layout.tokens)).unbind(1)
        return _joined(F.scaled_dot_product_attention(query, key, value, is_causal=True))
    of_prefix, own = torch.split(heads, [layout.start, len(heads) - layout.start])
    prefix_query, prefix_seen = torch.split(_by_text(of_prefix, 1), [1, 2], dim=1)
    query, seen = torch.split(_by_text(own, len(layout.tokens)), [1, 2], dim=1)
    prefix_key, prefix_value = prefix_seen.unbind(1)
    in_prefix = F.scaled_dot_product_attention(prefix_query.squeeze(1), prefix_key, prefix_value, is_causal=True)
    key, value = torch.cat([_for_each(prefix_seen, len(layout.tokens)), seen], dim=3).unbind(1)
    in_text = F.scaled_dot_product_attention(query.squeeze(1), key, value, attn_mask=layout.later)
    return torch.cat([_joined(in_prefix), _joined(in_text)])


def _last_layer(block: FrozenBlock, x: Float[Tensor, "N W"], layout: Layout) -> Float[Tensor, "K W"]:
    """The end tokens alone look at all before them."""
    at_end, start = x.index_select(0, layout.end), layout.start if layout.shares_prefix else 0
    of_prefix, own = torch.split(block.key_value(x), [start, len(x) - start])
    seen = _by_text(own, len(layout.tokens))
    if layout.shares_prefix:
        seen = torch.cat([_for_each(_by_text(of_prefix, 1), len(layout.tokens)), seen], dim=3)
    key, value = seen.unbind(1)
    query = block.query(at_end).transpose(1, 2)  # (K, H, 1, A)
    attended = F.scaled_dot_product_attention(query, key, value, attn_mask=layout.behind_end)
    return block.finish(at_end, attended.flatten(1))


def _by_text(heads: Float[Tensor, "N J H A"], num_texts: int) -> Float[Tensor, "K J H T A"]:
    return torch.unflatten(heads, 0, (num_texts, -1)).permute(0, 2, 3, 1, 4)


def _joined(attended: Float[Tensor, "K H T A"]) -> Float[Tensor, "N W"]:
    return attended.transpose(1, 2).flatten(2).flatten(0, 1)


def _for_each(shared: Float[Tensor, "1 2 H P1 A"], num_texts: int) -> Float[Tensor, "K 2 H P1 A"]:
    return shared.expand(num_texts, -1, -1, -1, -1)


@lru_cache(maxsize=8)
def _layout(
    tokens: Sequence[Sequence[int]],
    learned: tuple[int, int, bool],
    shares_prefix: bool,
    ends: tuple[int, int],
    device: torch.device,
    dtype: torch.dtype,
) -> Layout:
    """See `Layout`; a run's class names come in every step, so that these few small tensors cross to the device once.

    Args:
        tokens: each text's own.
        learned: learned vectors in front, behind each text, and whether those are by position.
        shares_prefix: as of `Layout`.
        ends: start token and end token.
        device: of the tensors.
        dtype: of the masks.
    """
    num_prefix, num_suffix, by_position = learned
    start_token, end_token = ends
    start = 1 + num_prefix if shares_prefix else 0
    front = 0 if shares_prefix else 1 + num_prefix
    length = torch.tensor([len(own) for own in tokens])[:, None]
    column = torch.arange(front + int(length.max()) + num_suffix + 1)
    own = column - front  # place behind the prefix
    is_own, is_suffix = (own >= 0) & (own < length), (own >= length) & (own < length + num_suffix)
    ids = torch.full(is_own.shape, end_token)
    if front:
        ids[:, 0] = start_token
    ids[is_own] = torch.tensor([token for text in tokens for token in text], dtype=torch.long)
    row = torch.where(is_suffix, own if by_position else own - length, 0)
    is_prefix = torch.zeros_like(is_suffix)
    if front:
        is_prefix[:, 1:front] = True
        row = torch.where(is_suffix, row + num_prefix, 0) + torch.where(is_prefix, column - 1, 0)
    is_learned = is_suffix | is_prefix
    end = front + length + num_suffix  # column of the end token
    num_seen = start + len(column)
    blocked = torch.full((len(column), num_seen), -torch.inf, dtype=dtype).triu(start + 1)
    behind = torch.zeros(len(tokens), num_seen, dtype=dtype).masked_fill(
        torch.arange(num_seen) > start + end, -torch.inf
    )
    return Layout(
        shares_prefix,
        start,
        ids.to(device),
        row.to(device),
        is_learned.unsqueeze(-1).to(device),
        (start + end.squeeze(1) + torch.arange(len(tokens)) * len(column)).to(device),
        blocked.to(device),
        behind[:, None, None].to(device),
    )
