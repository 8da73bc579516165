"""CLIP's text encoder, computing only what the features depend on.

Every text begins with the same start token and learned prefix, and the encoder is causal: those positions are the same
for all texts and are computed once; each text's own positions attend to their keys and values. Behind a text's end
token nothing is computed, in the last layer only the end tokens are, and texts of unequal length are packed into one
matrix, so that no padding exists. The result equals the plain computation over 77 padded positions. Texts may come in
groups that have learned vectors of their own each: all of that is then done for all groups at once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from prompt_video.frozen_block import FrozenBlock
from prompt_video.frozen_linear import frozen_linear
from prompt_video.packed_attention import Bundle, attend, attend_from_end, ends, in_bundles
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
            texts: at least one, with the axis of groups.
            chunk_size: texts whose inner values are kept at a time; they are computed again on the way back, so that
                memory does not grow with the number of texts. None keeps all.
        """
        assert texts.owner is not None
        size = [(len(tokens), group) for tokens, group in zip(texts.tokens, texts.owner, strict=True)]
        order = sorted(range(len(size)), key=size.__getitem__)
        lengths = [len(texts.tokens[text]) + texts.num_suffix + 1 for text in order]
        shared = self._shared_keys_values(texts.prefix)
        passes = [_chosen(texts, order[first:end]) for first, end in _passes(lengths, chunk_size, texts.prefix.device)]
        if chunk_size is not None and torch.is_grad_enabled():
            features: Tensor = _Recomputed.apply(self._encode, passes, texts.suffix, *shared)
        else:
            features = torch.cat([self._encode(part, shared) for part in passes])
        place = sorted(range(len(order)), key=lambda position: order[position])
        return features[torch.tensor(place, device=features.device)]

    def _shared_keys_values(self, prefix: Float[Tensor, "G P W"]) -> list[Float[Tensor, "2 G H P1 A"]]:
        """Keys and values of the start token and each group's prefix, layer by layer."""
        x = torch.cat([self.embed([[self.start_token]]).expand(len(prefix), -1, -1), prefix], dim=1)
        x = (x + self.positions.weight[: x.shape[1]]).flatten(0, 1)  # (G * P1, W)
        shared = []
        for block in self.blocks:
            heads = torch.unflatten(block.query_key_value(x), 0, (len(prefix), -1))  # (G, P1, 3, H, A)
            heads = heads.permute(2, 0, 3, 1, 4)  # (3, G, H, P1, A)
            # What texts of several groups gather from stands ready for it.
            shared.append(heads[1:] if len(prefix) == 1 else heads[1:].contiguous())
            if block is not self.blocks[-1]:
                query, key, value = heads
                attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
                x = block.finish(x, attended.transpose(1, 2).reshape(len(x), -1))
        return shared

    def _encode(self, texts: PromptedText, shared: Sequence[Float[Tensor, "2 G H P1 A"]]) -> Float[Tensor, "K D"]:
        """Features of texts sorted by length."""
        bundles = in_bundles(texts, num_shared=shared[0].shape[3])
        x = torch.cat([self._embed(texts, bundle).flatten(0, 1) for bundle in bundles])  # (N, W)
        for block, prefix in zip(self.blocks[:-1], shared[:-1], strict=True):
            x = block.finish(x, attend(block.query_key_value(x), prefix, bundles))
        last, end = self.blocks[-1], ends(bundles, x.device)
        at_end = x[end]
        at_end = last.finish(at_end, attend_from_end(last.query(at_end), last.key_value(x), shared[-1], bundles))
        return frozen_linear(self.final_norm(at_end), self.projection.weight, None)

    def _embed(self, texts: PromptedText, bundle: Bundle) -> Float[Tensor, "C L W"]:
        """Input of the first layer: own tokens, suffix, end token, with their positions."""
        own, end = self.embed(bundle.tokens), self.embed([[self.end_token]])
        suffix = bundle.each(texts.suffix_after(own.shape[1]))
        rows = torch.cat([own, suffix, end.expand(len(own), -1, -1)], dim=1)
        start = 1 + texts.prefix.shape[1]
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
        passes: list[PromptedText],
        suffix: Tensor,
        *shared: Tensor,
    ) -> Tensor:
        ctx.encode, ctx.passes = encode, [replace(part, suffix=suffix.detach()) for part in passes]
        ctx.save_for_backward(suffix, *shared)
        return torch.cat([encode(part, shared) for part in ctx.passes])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's own
        suffix, *shared = (value.detach().requires_grad_() for value in ctx.saved_tensors)
        gradients = torch.split(gradient, [len(part.tokens) for part in ctx.passes])
        for part, wanted in zip(ctx.passes, gradients, strict=True):
            with torch.enable_grad():
                features = ctx.encode(replace(part, suffix=suffix), shared)
            torch.autograd.backward(features, wanted)
        return None, None, suffix.grad, *(value.grad for value in shared)


def _chosen(texts: PromptedText, which: list[int]) -> PromptedText:
    assert texts.owner is not None
    return replace(texts, tokens=[texts.tokens[text] for text in which], owner=[texts.owner[text] for text in which])


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
