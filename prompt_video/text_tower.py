"""CLIP's text encoder, computing only what the features depend on.

Every text begins with the same start token and learned prefix, and the encoder is causal: those positions are the same
for all texts and are computed once; each text's own positions attend to their keys and values. Behind a text's end
token nothing is computed, in the last layer only the end tokens are, and texts of unequal length are packed into one
matrix, so that no padding exists. The result equals the plain computation over 77 padded positions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from prompt_video.frozen_block import FrozenBlock
from prompt_video.frozen_linear import frozen_linear
from prompt_video.text_side import PromptedText

ROWS_PER_PASS = 2048  # on a CPU: what one pass over the layers works on stays in the cache


class TextTower(nn.Module):
    """The frozen text encoder.

    Args:
        token_embedding: one row a token.
        positions: one row a position.
        blocks: the layers.
        final_norm: behind the last layer.
        projection: into the joint space.
        start_token: what stands in front of every text.
        end_token: what stands behind every text; the features are read there.
    """

    def __init__(
        self,
        token_embedding: nn.Embedding,
        positions: nn.Embedding,
        blocks: Sequence[FrozenBlock],
        final_norm: nn.LayerNorm,
        projection: nn.Linear,
        start_token: int,
        end_token: int,
    ) -> None:
        super().__init__()
        self.token_embedding, self.positions = token_embedding, positions
        self.blocks = cast("Sequence[FrozenBlock]", nn.ModuleList(blocks))
        self.final_norm, self.projection = final_norm, projection
        self.start_token, self.end_token = start_token, end_token

    def embed(self, tokens: Sequence[Sequence[int]]) -> Float[Tensor, "K L W"]:
        """Token embeddings of texts of one length."""
        rows: Tensor = self.token_embedding(torch.tensor(tokens, dtype=torch.long, device=self.positions.weight.device))
        return rows

    def forward(self, texts: PromptedText, chunk_size: int | None) -> Float[Tensor, "K D"]:
        """Features of the texts.

        Args:
            texts: at least one.
            chunk_size: texts whose inner values are kept at a time; they are computed again on the way back, so that
                memory does not grow with the number of texts. None keeps all.
        """
        order = sorted(range(len(texts.tokens)), key=lambda text: len(texts.tokens[text]))
        lengths = [len(texts.tokens[text]) + texts.num_suffix + 1 for text in order]
        shared = self._shared_keys_values(texts.prefix)
        passes = [
            [texts.tokens[text] for text in order[first:end]]
            for first, end in _passes(lengths, chunk_size, self.positions.weight.device)
        ]
        if chunk_size is not None and torch.is_grad_enabled():
            features: Tensor = _Recomputed.apply(self._encode, texts, passes, texts.suffix, *shared)
        else:
            features = torch.cat([self._encode(replace(texts, tokens=tokens), shared) for tokens in passes])
        place = sorted(range(len(order)), key=lambda position: order[position])
        return features[torch.tensor(place, device=self.positions.weight.device)]

    def _shared_keys_values(self, prefix: Float[Tensor, "P W"]) -> list[Float[Tensor, "2 H P1 A"]]:
        """Keys and values of the start token and the prefix, layer by layer."""
        x = torch.cat([self.embed([[self.start_token]])[0], prefix])
        x = x + self.positions.weight[: len(x)]
        shared = []
        for block in self.blocks:
            heads = block.query_key_value(x).permute(1, 2, 0, 3)  # (3, H, P1, A)
            shared.append(heads[1:])
            if block is not self.blocks[-1]:
                query, key, value = heads.unsqueeze(1)
                attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
                x = block.finish(x, attended[0].transpose(0, 1).flatten(1))
        return shared

    def _encode(self, texts: PromptedText, shared: Sequence[Float[Tensor, "2 H P1 A"]]) -> Float[Tensor, "K D"]:
        """Features of texts sorted by length."""
        groups = [list(group) for _, group in groupby(texts.tokens, key=len)]
        shapes = [(len(group), len(group[0]) + texts.num_suffix + 1) for group in groups]
        x = torch.cat([self._embed_group(texts, group).flatten(0, 1) for group in groups])  # (N, W)
        masks = [_hidden(length, shared[0].shape[2], x) for _, length in shapes]
        for block, prefix in zip(self.blocks[:-1], shared[:-1], strict=True):
            x = block.finish(x, _attend(block.query_key_value(x), prefix, shapes, masks))
        last, ends = self.blocks[-1], _ends(shapes, x.device)
        at_end = x[ends]
        at_end = last.finish(at_end, _attend_from_end(last.query(at_end), last.key_value(x), shared[-1], shapes))
        return frozen_linear(self.final_norm(at_end), self.projection.weight, None)

    def _embed_group(self, texts: PromptedText, group: list[list[int]]) -> Float[Tensor, "G L W"]:
        """Input of the first layer for texts of one length: own tokens, suffix, end token, with their positions."""
        suffix = texts.suffix_after(len(group[0]))
        end = self.embed([[self.end_token]])
        rows = torch.cat([self.embed(group), suffix.expand(len(group), -1, -1), end.expand(len(group), -1, -1)], dim=1)
        start = 1 + len(texts.prefix)
        return rows + self.positions.weight[start : start + rows.shape[1]]


class _Recomputed(torch.autograd.Function):
    """Encode pass by pass and keep nothing but the features; the way back computes each pass again.

    One node for all passes: with torch's own checkpointing the graph of every pass stays until the end, and memory
    still grows with the number of texts.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's own
        encode: Callable[[PromptedText, Sequence[Tensor]], Tensor],
        texts: PromptedText,
        passes: list[list[list[int]]],
        suffix: Tensor,
        *shared: Tensor,
    ) -> Tensor:
        ctx.encode, ctx.texts, ctx.passes = encode, replace(texts, suffix=suffix.detach()), passes
        ctx.save_for_backward(suffix, *shared)
        return torch.cat([encode(replace(ctx.texts, tokens=tokens), shared) for tokens in passes])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's own
        suffix, *shared = (value.detach().requires_grad_() for value in ctx.saved_tensors)
        parts = torch.split(gradient, [len(tokens) for tokens in ctx.passes])
        for tokens, part in zip(ctx.passes, parts, strict=True):
            with torch.enable_grad():
                features = ctx.encode(replace(ctx.texts, tokens=tokens, suffix=suffix), shared)
            torch.autograd.backward(features, part)
        return None, None, None, suffix.grad, *(value.grad for value in shared)


def _passes(lengths: list[int], chunk_size: int | None, device: torch.device) -> Iterator[tuple[int, int]]:
    """Cut texts into passes over the layers; yields the first text of each, and the first behind it."""
    most_rows = ROWS_PER_PASS if device.type == "cpu" else sum(lengths)
    first = rows = 0
    for text, length in enumerate(lengths):
        if text > first and (text - first == chunk_size or rows + length > most_rows):
            yield first, text
            first, rows = text, 0
        rows += length
    yield first, len(lengths)


def _ends(shapes: list[tuple[int, int]], device: torch.device) -> Tensor:
    """The row of each text's end token."""
    lengths = torch.tensor([length for count, length in shapes for _ in range(count)], device=device)
    return lengths.cumsum(0) - 1


def _hidden(length: int, num_shared: int, like: Tensor) -> Float[Tensor, "L K"]:
    """What a position of a text does not see, its own later ones, as minus infinity; made once for all layers."""
    later = torch.full((length, num_shared + length), -torch.inf, dtype=like.dtype, device=like.device)
    return later.triu(num_shared + 1)


def _attend(
    heads: Float[Tensor, "N 3 H A"],
    prefix: Float[Tensor, "2 H P1 A"],
    shapes: list[tuple[int, int]],
    masks: list[Tensor],
) -> Float[Tensor, "N W"]:
    """Every position looks at the prefix and at its own text up to itself."""
    attended = []
    parts = torch.split(heads, [count * length for count, length in shapes])
    for rows, (count, length), mask in zip(parts, shapes, masks, strict=True):
        by_text = rows.view(count, length, *rows.shape[1:])
        query, own_key, own_value = by_text.permute(2, 0, 3, 1, 4)  # (G, H, L, A) each
        key = torch.cat([prefix[0].expand(count, -1, -1, -1), own_key], dim=2)
        value = torch.cat([prefix[1].expand(count, -1, -1, -1), own_value], dim=2)
        result = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        attended.append(result.transpose(1, 2).reshape(count * length, -1))
    return torch.cat(attended)


def _attend_from_end(
    query: Float[Tensor, "K 1 H A"],
    heads: Float[Tensor, "N 2 H A"],
    prefix: Float[Tensor, "2 H P1 A"],
    shapes: list[tuple[int, int]],
) -> Float[Tensor, "K W"]:
    """The end tokens alone look at the prefix and at their own text."""
    attended, first = [], 0
    for rows, (count, length) in zip(
        torch.split(heads, [count * length for count, length in shapes]), shapes, strict=True
    ):
        own_key, own_value = rows.view(count, length, *rows.shape[1:]).permute(2, 0, 3, 1, 4)  # (G, H, L, A) each
        key = torch.cat([prefix[0].expand(count, -1, -1, -1), own_key], dim=2)
        value = torch.cat([prefix[1].expand(count, -1, -1, -1), own_value], dim=2)
        result = F.scaled_dot_product_attention(query[first : first + count].transpose(1, 2), key, value)
        attended.append(result.flatten(1))
        first += count
    return torch.cat(attended)
