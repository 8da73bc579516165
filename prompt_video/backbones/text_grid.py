"""Where tokens and learned vectors of a list of texts stand, in a block of equally many positions for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass(frozen=True)
class Surroundings:
    """What stands around every text: ``[start + prefix + own tokens + suffix + end + padding]``.

    Args:
        start: tokens in front of every text.
        end: tokens behind it.
        padding: the token of all other positions.
        reads_last: whether the features are read at the last position, be it padding, or at the first of ``end``.
    """

    start: tuple[int, ...]
    end: tuple[int, ...]
    padding: int
    reads_last: bool


class TextGrid(NamedTuple):
    """A block of K texts of T positions each.

    Args:
        tokens: each position's token; any where there is a learned vector.
        learned: row of the prefix and suffix taken together; 0 where there is a token.
        is_learned: where there is a learned vector.
        end: column of the first token behind each text.
    """

    tokens: Int[Tensor, "K T"]
    learned: Int[Tensor, "K T"]
    is_learned: Bool[Tensor, "K T 1"]
    end: Int[Tensor, " K"]


def text_grid(
    tokens: Sequence[Sequence[int]],
    learned: tuple[int, int, bool],
    surroundings: Surroundings,
    num_positions: int | None = None,
) -> TextGrid:
    """Place texts, on the CPU.

    Args:
        tokens: each text's own.
        learned: learned vectors in front, behind each text, and whether those are by position.
        surroundings: of each.
        num_positions: T; None: as many as the longest text takes.
    """
    (num_prefix, num_suffix, by_position), end = learned, surroundings.end
    num_start = len(surroundings.start)
    front = num_start + num_prefix
    length = torch.tensor([len(own) for own in tokens])[:, None]
    column = torch.arange(num_positions or front + int(length.max()) + num_suffix + len(end))
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
    return TextGrid(ids, row, (is_prefix | is_suffix).unsqueeze(-1), (front + num_suffix + length).squeeze(1))
