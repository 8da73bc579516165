"""The text encoder in one padded block: few kernels, some arithmetic in vain; for devices that kernels keep waiting.

All texts of a pass are padded to the longest of them, so that the number of kernels depends neither on their number nor
on their lengths. The positions that all texts share, the start token and the learned prefix, are either computed once,
as more rows of the same products, and looked at by all texts; or, where that would save less arithmetic than its
kernels cost, they are a part of every text. As in the packed way only the end tokens pass through the last layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.compilation import compiled_for
from prompt_video.backbones.frozen_block import FrozenBlock
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.text_grid import Surroundings, text_grid
from prompt_video.backbones.towers import FrozenTextTower

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
    tower: FrozenTextTower, texts: PromptedText, prefix: Float[Tensor, "P W"], *, compiled: bool = False
) -> Float[Tensor, "K D"]:
    """Features of texts.

    Args:
        tower: the encoder.
        texts: in any order.
        prefix: that of the texts, or a copy that takes its gradient.
        compiled: by torch.compile: on a GPU the kernels of a list of texts are captured once and replayed.
    """
    layout = _layout(
        tuple(map(tuple, texts.tokens)),
        (len(prefix), texts.num_suffix, texts.by_position),
        pays_to_share(tower, len(texts.tokens) - 1, 1 + len(prefix)),
        tower.surroundings,
        prefix.device,
        prefix.dtype,
    )
    if compiled:
        for block in tower.blocks:
            block.scaled_by_slope()  # what is computed at the first call alone would have all compiled once more
        # What is replayed writes to the same memory each time.
        return compiled_for(prefix.device.type, _encode)(tower, texts.suffix, prefix, layout).clone()
    return _encode(tower, texts.suffix, prefix, layout)


def _encode(
    tower: FrozenTextTower, suffix: Float[Tensor, "R W"], prefix: Float[Tensor, "P W"], layout: Layout
) -> Float[Tensor, "K D"]:
    """As `encode_padded`, of tensors alone, so that it can be compiled."""
    x = _embed(tower, suffix, prefix, layout).flatten(0, 1)
    if layout.shares_prefix:
        x = torch.cat([_shared_rows(tower, prefix), x])
    for block in tower.blocks[:-1]:
        x = block.finish(x, _attend(block.query_key_value(x), layout))
    return tower.project(_last_layer(tower.blocks[-1], x, layout))


def pays_to_share(tower: FrozenTextTower, num_copies: int, num_shared: int) -> bool:
    """Whether computing the shared positions once saves more than the kernels that it takes.

    Args:
        tower: the encoder.
        num_copies: how often each shared position would be computed in vain.
        num_shared: of the start token and the prefix.
    """
    per_position = 2 * 2 * sum(weight.numel() for weight in tower.blocks[0].parameters())  # forward and backward
    return num_copies * num_shared * per_position > FLOPS_A_LAYER_OF_SHARING


def _shared_rows(tower: FrozenTextTower, prefix: Float[Tensor, "P W"]) -> Float[Tensor, "N W"]:
    """Input of the first layer at the start token and the prefix."""
    rows = torch.cat([tower.token_embedding.weight[list(tower.surroundings.start)], prefix])
    return rows + tower.positions.weight[: len(rows)]


def _embed(
    tower: FrozenTextTower, suffix: Float[Tensor, "R W"], prefix: Float[Tensor, "P W"], layout: Layout
) -> Float[Tensor, "K T W"]:
    """Input of the first layer at all other positions."""
    learned = suffix if layout.shares_prefix else torch.cat([prefix, suffix])
    rows = tower.embed_among(layout.tokens, learned, layout.learned, layout.is_learned)
    return rows + tower.positions.weight[layout.start : layout.start + rows.shape[1]]


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
    surroundings: Surroundings,
    device: torch.device,
    dtype: torch.dtype,
) -> Layout:
    """See `Layout`; a run's class names come in every step, so that these few small tensors cross to the device once.

    Args:
        tokens: each text's own.
        learned: learned vectors in front, behind each text, and whether those are by position.
        shares_prefix: as of `Layout`.
        surroundings: of each.
        device: of the tensors.
        dtype: of the masks.
    """
    num_prefix, num_suffix, by_position = learned
    start = len(surroundings.start) + num_prefix if shares_prefix else 0
    around = replace(surroundings, start=()) if shares_prefix else surroundings
    grid = text_grid(tokens, (0 if shares_prefix else num_prefix, num_suffix, by_position), around)
    num_columns, end = grid.tokens.shape[1], start + grid.end
    num_seen = start + num_columns
    blocked = torch.full((num_columns, num_seen), -torch.inf, dtype=dtype).triu(start + 1)
    behind = torch.zeros(len(tokens), num_seen, dtype=dtype).masked_fill(
        torch.arange(num_seen) > end[:, None], -torch.inf
    )
    return Layout(
        shares_prefix,
        start,
        grid.tokens.to(device),
        grid.learned.to(device),
        grid.is_learned.to(device),
        (end + torch.arange(len(tokens)) * num_columns).to(device),
        blocked.to(device),
        behind[:, None, None].to(device),
    )
