"""The text encoder over rows whose place is a matter of tensors, not of lists: many short lists of texts at a time.

A few texts make products too small for any machine. Here the rows of a list, the start token and the learned prefix
once, then text behind text, are a matrix that is told by tensors alone, and further axes in front are further lists,
each with learned vectors of its own. What a row sees is a mask, which suits lists of few texts: it grows with the
square of their rows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.towers import FrozenTextTower


class TextRows(NamedTuple):
    """Where everything stands.

    Args:
        tokens: each row's token; any where there is a learned vector.
        learned: each row's learned vector, as a row of prefix and suffix together; -1 where there is a token.
        positions: each row's position.
        hidden: what a row does not see, as minus infinity: what comes later, and other texts.
        end: row of each text's end token.
    """

    tokens: Int[Tensor, "*B N"]
    learned: Int[Tensor, "*B N"]
    positions: Int[Tensor, "*B N"]
    hidden: Float[Tensor, "*B 1 N N"]
    end: Int[Tensor, "*B K"]


def text_rows(tower: FrozenTextTower, lists: Sequence[PromptedText]) -> TextRows:
    """The rows of several lists of equally many texts, padded to the most rows of any.

    Args:
        tower: the encoder, whose weights say the device and the precision.
        lists: with equally many learned vectors.

    Returns:
        With one axis in front, a place for each list.
    """
    length = max(
        1 + len(texts.prefix) + sum(len(own) + texts.num_suffix + 1 for own in texts.tokens) for texts in lists
    )
    like = tower.positions.weight
    placed = [TextRows(*(part.to(like.device) for part in _rows(tower, texts, length))) for texts in lists]
    rows = TextRows(*map(torch.stack, zip(*placed, strict=True)))
    return rows._replace(hidden=rows.hidden.to(like.dtype))


def _rows(tower: FrozenTextTower, texts: PromptedText, length: int) -> TextRows:
    num_prefix, (end_token,) = len(texts.prefix), tower.surroundings.end
    tokens = [*tower.surroundings.start, *[end_token] * num_prefix]
    learned, positions = [-1, *range(num_prefix)], list(range(1 + num_prefix))
    owner, ends = [-1] * len(tokens), []  # -1: of all texts
    for number, own in enumerate(texts.tokens):
        first = num_prefix + (len(own) if texts.by_position else 0)
        tokens += [*own, *[end_token] * (texts.num_suffix + 1)]
        learned += [*[-1] * len(own), *range(first, first + texts.num_suffix), -1]
        count = len(tokens) - len(owner)
        positions += range(1 + num_prefix, 1 + num_prefix + count)
        owner += [number] * count
        ends.append(len(tokens) - 1)
    padding = length - len(tokens)
    of_text = torch.tensor([*owner, *[len(texts.tokens)] * padding])
    sees = ((of_text == -1) | (of_text == of_text.unsqueeze(1))).tril()
    return TextRows(
        torch.tensor([*tokens, *[end_token] * padding]),
        torch.tensor([*learned, *[-1] * padding]),
        torch.tensor([*positions, *[0] * padding]),
        torch.zeros(1, length, length).masked_fill(~sees, -torch.inf),
        torch.tensor(ends),
    )


def encode_rows(
    tower: FrozenTextTower, prefix: Float[Tensor, "*B P W"], suffix: Float[Tensor, "*B R W"], rows: TextRows
) -> Float[Tensor, "*B K D"]:
    """Features of texts.

    Args:
        tower: the encoder.
        prefix: learned vectors in front of each list's texts.
        suffix: behind them, see `PromptedText`.
        rows: where they stand.
    """
    x = _embed(tower, torch.cat([prefix, suffix], dim=-2), rows).flatten(0, -2)  # all lists are rows of one product
    lists, num_rows = rows.tokens.shape[:-1], rows.tokens.shape[-1]
    for block in tower.blocks[:-1]:
        query, key, value = _by_head(block.query_key_value(x), (*lists, num_rows))
        x = block.finish(x, _joined(F.scaled_dot_product_attention(query, key, value, attn_mask=rows.hidden)))
    last = tower.blocks[-1]
    first = torch.arange(0, len(x), num_rows, device=x.device).view(*lists, 1)
    at_end = x[(first + rows.end).flatten()]
    (query,) = _by_head(last.query(at_end), rows.end.shape)
    key, value = _by_head(last.key_value(x), (*lists, num_rows))
    hidden = torch.take_along_dim(rows.hidden, rows.end[..., None, :, None], dim=-2)
    at_end = last.finish(at_end, _joined(F.scaled_dot_product_attention(query, key, value, attn_mask=hidden)))
    return tower.project(at_end).view(*rows.end.shape, -1)


def _embed(tower: FrozenTextTower, learned: Float[Tensor, "*B L W"], rows: TextRows) -> Float[Tensor, "*B N W"]:
    """Input of the first layer."""
    lists = rows.learned.shape[:-1]
    first = torch.arange(lists.numel(), device=learned.device).view(*lists, 1) * learned.shape[-2]
    row, is_learned = first + rows.learned.clamp(min=0), rows.learned.unsqueeze(-1) >= 0
    x = tower.embed_among(rows.tokens, learned.flatten(0, -2), row, is_learned)
    return x + F.embedding(rows.positions, tower.positions.weight)


def _by_head(heads: Float[Tensor, "M J H A"], places: Sequence[int]) -> tuple[Float[Tensor, "*B H N A"], ...]:
    """What attention takes, part by part, of rows that stand in so many places."""
    return tuple(part.reshape(*places, *part.shape[1:]).transpose(-3, -2) for part in heads.unbind(1))


def _joined(attended: Float[Tensor, "*B H N A"]) -> Float[Tensor, "M W"]:
    """All heads of a row, side by side."""
    return attended.transpose(-3, -2).flatten(-2).flatten(0, -2)
