"""Attention of texts that share what stands in front of them, packed into one matrix without padding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.prompted_text import PromptedText


@dataclass(frozen=True)
class LengthBucket:
    """Texts of one length, which stand one behind the other in the packed rows.

    Args:
        tokens: each text's own.
        length: rows of each text.
        hidden: what a row does not see, its text's later ones, as minus infinity.
    """

    tokens: list[list[int]]
    length: int
    hidden: Float[Tensor, "L M"]

    @property
    def num_rows(self) -> int:
        """Rows of all texts."""
        return len(self.tokens) * self.length

    def behind(self, prefix: Float[Tensor, "1 H P1 A"], own: Float[Tensor, "C H L A"]) -> Float[Tensor, "C H M A"]:
        """Keys or values that the texts share, and behind them each text's own."""
        return torch.cat([prefix.expand(len(self.tokens), -1, -1, -1), own], dim=2)


def length_buckets(texts: PromptedText, num_shared: int) -> list[LengthBucket]:
    """Put texts that are sorted by length into buckets; made once for all layers."""
    buckets = []
    for num_tokens, tokens in groupby(texts.tokens, key=len):
        length = num_tokens + texts.num_suffix + 1
        later = texts.prefix.new_full((length, num_shared + length), -torch.inf).triu(num_shared + 1)
        buckets.append(LengthBucket(list(tokens), length, later))
    return buckets


def ends(buckets: Sequence[LengthBucket], device: torch.device) -> Int[Tensor, " K"]:
    """The row of each text's end token."""
    lengths = torch.tensor([bucket.length for bucket in buckets for _ in bucket.tokens], device=device)
    return lengths.cumsum(0) - 1


def attend(
    heads: Float[Tensor, "N 3 H A"], prefix: Float[Tensor, "2 1 H P1 A"], buckets: Sequence[LengthBucket]
) -> Float[Tensor, "N W"]:
    """Every row looks at the prefix and at its own text up to itself."""
    attended = []
    for bucket, rows in _by_bucket(heads, buckets):
        query, own_key, own_value = rows.permute(2, 0, 3, 1, 4)  # (C, H, L, A) each
        key = bucket.behind(prefix[0], own_key)
        value = bucket.behind(prefix[1], own_value)
        result = F.scaled_dot_product_attention(query, key, value, attn_mask=bucket.hidden)
        attended.append(result.transpose(1, 2).reshape(bucket.num_rows, -1))
    return torch.cat(attended)


def attend_from_end(
    query: Float[Tensor, "K 1 H A"],
    heads: Float[Tensor, "N 2 H A"],
    prefix: Float[Tensor, "2 1 H P1 A"],
    buckets: Sequence[LengthBucket],
) -> Float[Tensor, "K W"]:
    """The end tokens alone look at the prefix and at their own text."""
    attended, first = [], 0
    for bucket, rows in _by_bucket(heads, buckets):
        own_key, own_value = rows.permute(2, 0, 3, 1, 4)  # (C, H, L, A) each
        key = bucket.behind(prefix[0], own_key)
        value = bucket.behind(prefix[1], own_value)
        own_query = query[first : first + len(bucket.tokens)]
        attended.append(F.scaled_dot_product_attention(own_query.transpose(1, 2), key, value).flatten(1))
        first += len(bucket.tokens)
    return torch.cat(attended)


def _by_bucket(
    heads: Float[Tensor, "N J H A"], buckets: Sequence[LengthBucket]
) -> Iterator[tuple[LengthBucket, Float[Tensor, "C L J H A"]]]:
    parts = torch.split(heads, [bucket.num_rows for bucket in buckets])
    for bucket, rows in zip(buckets, parts, strict=True):
        yield bucket, rows.view(-1, bucket.length, *rows.shape[1:])
