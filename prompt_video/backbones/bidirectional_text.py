"""A text encoder whose positions look at all others, padding included: SigLIP's, and the like.

No prefix can be shared, and nothing may be left out: what stands at a position depends on all of them, so that every
text costs all its positions. Only behind the last layer one position of each is wanted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from prompt_video.backbones.compilation import compiled_for
from prompt_video.backbones.frozen_block import FrozenBlock
from prompt_video.backbones.frozen_linear import frozen_linear
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.text_passes import ROWS_PER_PASS, ROWS_PER_READING, chosen, cut_passes, recomputed
from prompt_video.backbones.towers import FrozenTextTower


@dataclass(frozen=True)
class Surroundings:
    """What stands around every text: ``[start + prefix + own tokens + suffix + end + padding]``.

    Padding fills all positions and is never masked: these encoders were trained so, and a mask, or fewer positions,
    would change the features without a word.

    Args:
        start: tokens in front of every text.
        end: tokens behind it.
        padding: the token of all other positions.
        reads_last: whether the features are read at the last position, be it padding, or at the first of ``end``.
    """

    start: tuple[int, ...]
    end: tuple[int, ...]
    padding: int
    reads_last: bool = True


@dataclass(frozen=True)
class Layout:
    """Where everything stands; made once for a list of texts.

    Args:
        tokens: each position's token; any where there is a learned vector.
        learned: row of the prefix and suffix taken together; 0 where there is a token.
        is_learned: where there is a learned vector.
        read: row of the position whose features are wanted, of all texts one behind the other.
    """

    tokens: Int[Tensor, "K T"]
    learned: Int[Tensor, "K T"]
    is_learned: Bool[Tensor, "K T 1"]
    read: Int[Tensor, " K"]


class BidirectionalTextTower(FrozenTextTower):
    """The frozen text encoder.

    Args:
        token_embedding: one row a token.
        positions: one row a position; every text takes all of them.
        blocks: the layers.
        final_norm: behind the last layer.
        projection: into the joint space; it may have a bias.
        surroundings: of every text.
    """

    def __init__(
        self,
        token_embedding: nn.Embedding,
        positions: nn.Embedding,
        blocks: Sequence[FrozenBlock],
        final_norm: nn.LayerNorm,
        projection: nn.Linear,
        surroundings: Surroundings,
    ) -> None:
        super().__init__()
        self.token_embedding, self.positions, self.surroundings = token_embedding, positions, surroundings
        self.blocks = cast("Sequence[FrozenBlock]", nn.ModuleList(blocks))
        self.final_norm, self.projection = final_norm, projection

    def forward(self, texts: PromptedText, chunk_size: int | None, *, compiled: bool = False) -> Float[Tensor, "K D"]:
        """As `FrozenTextTower`."""
        num_texts, length = len(texts.tokens), len(self.positions.weight)
        learns = torch.is_grad_enabled()
        if texts.prefix.device.type == "cpu" and not compiled:
            most_rows = ROWS_PER_PASS
        else:
            most_rows = num_texts * length if learns else ROWS_PER_READING
        bounds = cut_passes([length] * num_texts, chunk_size, most_rows)
        passes = [chosen(texts, range(first, end)) for first, end in bounds]
        encode = partial(self._encode, compiled=compiled)
        if chunk_size is not None and learns:
            return recomputed(encode, passes, texts.suffix, texts.prefix)
        return torch.cat([encode(part, [texts.prefix]) for part in passes])

    def _encode(
        self, texts: PromptedText, shared: Sequence[Float[Tensor, "P W"]], *, compiled: bool
    ) -> Float[Tensor, "K D"]:
        (prefix,) = shared
        tokens, learned = tuple(map(tuple, texts.tokens)), (len(prefix), texts.num_suffix, texts.by_position)
        layout = layout_of(tokens, learned, self.surroundings, len(self.positions.weight), prefix.device)
        vectors = torch.cat([prefix, texts.suffix])
        if compiled:
            # What is replayed writes to the same memory each time.
            return compiled_for(prefix.device.type, _encode)(self, vectors, layout).clone()
        return _encode(self, vectors, layout)


def _encode(tower: BidirectionalTextTower, learned: Float[Tensor, "R W"], layout: Layout) -> Float[Tensor, "K D"]:
    """Features of texts, of tensors alone, so that it can be compiled."""
    x = tower.token_embedding(layout.tokens)
    if len(learned):
        # Of torch's ways to gather, the embedding adds up gradients in a fixed order on all devices.
        x = torch.where(layout.is_learned, F.embedding(layout.learned, learned), x)
    x = (x + tower.positions.weight).flatten(0, 1)  # (K T, W)
    for block in tower.blocks[:-1]:
        query, key, value = _by_text(block.query_key_value(x), layout)
        attended = F.scaled_dot_product_attention(query, key, value)
        x = block.finish(x, attended.transpose(1, 2).flatten(2).flatten(0, 1))
    last, read = tower.blocks[-1], x.index_select(0, layout.read)
    key, value = _by_text(last.key_value(x), layout)
    attended = F.scaled_dot_product_attention(last.query(read).transpose(1, 2), key, value)
    read = tower.final_norm(last.finish(read, attended.flatten(1)))
    return frozen_linear(read, tower.projection.weight, tower.projection.bias)


def _by_text(heads: Float[Tensor, "N J H A"], layout: Layout) -> Float[Tensor, "J K H T A"]:
    return torch.unflatten(heads, 0, layout.tokens.shape).permute(2, 0, 3, 1, 4)


@lru_cache(maxsize=16)
def layout_of(
    tokens: tuple[tuple[int, ...], ...],
    learned: tuple[int, int, bool],
    surroundings: Surroundings,
    num_positions: int,
    device: torch.device,
) -> Layout:
    """See `Layout`; a run's class names come in every step, so that these few small tensors cross to the device once.

    Args:
        tokens: each text's own.
        learned: learned vectors in front, behind each text, and whether those are by position.
        surroundings: of each.
        num_positions: T.
        device: of the tensors.
    """
    (num_prefix, num_suffix, by_position), end = learned, surroundings.end
    num_start = len(surroundings.start)
    front = num_start + num_prefix
    length = torch.tensor([len(own) for own in tokens])[:, None]
    column = torch.arange(num_positions)
    own = column - front  # place behind the prefix
    behind = own - length  # place behind the text
    is_prefix = ((column >= num_start) & (column < front)).expand_as(behind)
    is_suffix = (behind >= 0) & (behind < num_suffix)
    is_end = (behind >= num_suffix) & (behind < num_suffix + len(end))
    ids = torch.full(behind.shape, surroundings.padding)
    ids[:, :num_start] = torch.tensor(surroundings.start, dtype=torch.long)
    ids[(own >= 0) & (behind < 0)] = torch.tensor([token for text in tokens for token in text], dtype=torch.long)
    ids[is_end] = torch.tensor(end, dtype=torch.long).repeat(len(tokens))
    row = torch.where(is_suffix, num_prefix + (own if by_position else behind), 0)
    row = torch.where(is_prefix, column - num_start, row)
    read = (front + num_suffix + length).squeeze(1)
    if surroundings.reads_last:
        read = torch.full_like(read, num_positions - 1)
    read = read + torch.arange(len(tokens)) * num_positions
    is_learned = (is_prefix | is_suffix).unsqueeze(-1)
    return Layout(ids.to(device), row.to(device), is_learned.to(device), read.to(device))
