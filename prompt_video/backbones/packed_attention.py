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
class Bundle:
    """Texts of one length, which stand one behind the other in the packed rows.

    Args:
        tokens: each text's own.
        length: rows of each text.
        hidden: what a row does not see, its text's later ones, as minus infinity.
        owner: each text's group; None where there is one group.
    """

    tokens: list[list[int]]
    length: int
    hidden: Float[Tensor, "L M"]
    owner: Int[Tensor, " C"] | None

    @property
    def num_rows(self) -> int:
        """Rows of all texts."""
        return len(self.tokens) * self.length

    def each(self, table: Float[Tensor, "G ..."]) -> Float[Tensor, "C ..."]:
        """What each text's group has in a table of groups; no copy where there is one group."""
        if self.owner is None:
            return table.expand(len(self.tokens), *table.shape[1:])
        # Of torch's ways to gather, the embedding adds up gradients in a fixed order on all devices.
        return F.embedding(self.owner, table.flatten(1)).view(len(self.tokens), *table.shape[1:])


def in_bundles(texts: PromptedText, num_shared: int) -> list[Bundle]:
    """Put texts that are sorted by length into bundles; made once for all layers."""
    assert texts.owner is not None
    bundles = []
    pairs = zip(texts.tokens, texts.owner, strict=True)
    for num_tokens, same in groupby(pairs, key=lambda pair: len(pair[0])):
        tokens, owner = map(list, zip(*same, strict=True))
        length = num_tokens + texts.num_suffix + 1
        later = texts.prefix.new_full((length, num_shared + length), -torch.inf).triu(num_shared + 1)
        group = torch.tensor(owner, device=later.device) if len(texts.prefix) > 1 else None
        bundles.append(Bundle(tokens, length, later, group))
    return bundles


def ends(bundles: Sequence[Bundle], device: torch.device) -> Int[Tensor, " K"]:
    """The row of each text's end token."""
    lengths = torch.tensor([bundle.length for bundle in bundles for _ in bundle.tokens], device=device)
    return lengths.cumsum(0) - 1


def attend(
    heads: Float[Tensor, "N 3 H A"], prefix: Float[Tensor, "2 G H P1 A"], bundles: Sequence[Bundle]
) -> Float[Tensor, "N W"]:
    """Every row looks at its group's prefix and at its own text up to itself."""
    attended = []
    for bundle, rows in _by_bundle(heads, bundles):
        query, own_key, own_value = rows.permute(2, 0, 3, 1, 4)  # (C, H, L, A) each
        key = torch.cat([bundle.each(prefix[0]), own_key], dim=2)
        value = torch.cat([bundle.each(prefix[1]), own_value], dim=2)
        result = F.scaled_dot_product_attention(query, key, value, attn_mask=bundle.hidden)
        attended.append(result.transpose(1, 2).reshape(bundle.num_rows, -1))
    return torch.cat(attended)


def attend_from_end(
    query: Float[Tensor, "K 1 H A"],
    heads: Float[Tensor, "N 2 H A"],
    prefix: Float[Tensor, "2 G H P1 A"],
    bundles: Sequence[Bundle],
) -> Float[Tensor, "K W"]:
    """The end tokens alone look at their group's prefix and at their own text."""
    attended, first = [], 0
    for bundle, rows in _by_bundle(heads, bundles):
        own_key, own_value = rows.permute(2, 0, 3, 1, 4)  # (C, H, L, A) each
        key = torch.cat([bundle.each(prefix[0]), own_key], dim=2)
        value = torch.cat([bundle.each(prefix[1]), own_value], dim=2)
        looking = query[first : first + len(bundle.tokens)]
        attended.append(F.scaled_dot_product_attention(looking.transpose(1, 2), key, value).flatten(1))
        first += len(bundle.tokens)
    return torch.cat(attended)


def _by_bundle(
    heads: Float[Tensor, "N J H A"], bundles: Sequence[Bundle]
) -> Iterator[tuple[Bundle, Float[Tensor, "C L J H A"]]]:
    parts = torch.split(heads, [bundle.num_rows for bundle in bundles])
    for bundle, rows in zip(bundles, parts, strict=True):
        yield bundle, rows.view(-1, bundle.length, *rows.shape[1:])
