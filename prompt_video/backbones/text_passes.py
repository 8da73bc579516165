"""Texts encoded pass by pass over the layers; what is computed in between can be forgotten and computed again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from prompt_video.backbones.prompted_text import PromptedText

ROWS_PER_PASS = 2048  # on a CPU: what one pass over the layers works on stays in its cache
ROWS_PER_READING = 1 << 17  # on other devices without gradients: bounds memory, and fills any device


def encode_in_passes(
    encode: Callable[[PromptedText, Sequence[Tensor]], Tensor],
    texts: PromptedText,
    lengths: Sequence[int],
    shared: Sequence[Tensor],
    chunk_size: int | None,
    *,
    in_cache: bool,
) -> Float[Tensor, "K D"]:
    """Features of texts, in as many passes over the layers as suit the device.

    Args:
        encode: features of one pass, given it and what is shared.
        texts: in an order of which any part is a pass.
        lengths: rows of each.
        shared: what else takes gradients, beside their suffix.
        chunk_size: see `FrozenTextTower`.
        in_cache: whether small passes pay, as on a CPU.
    """
    most_rows = ROWS_PER_PASS if in_cache else sum(lengths) if fits_one_reading(lengths) else ROWS_PER_READING
    passes = [chosen(texts, range(*bounds)) for bounds in cut_passes(lengths, chunk_size, most_rows)]
    if chunk_size is not None and torch.is_grad_enabled():
        return recomputed(encode, passes, texts.suffix, *shared)
    return torch.cat([encode(part, shared) for part in passes])


def fits_one_reading(lengths: Sequence[int]) -> bool:
    """Whether a device that is no CPU takes texts of so many rows in one pass, where no chunks are asked for."""
    return torch.is_grad_enabled() or sum(lengths) <= ROWS_PER_READING


def recomputed(
    encode: Callable[[PromptedText, Sequence[Tensor]], Tensor],
    passes: list[PromptedText],
    suffix: Float[Tensor, "R W"],
    *shared: Tensor,
) -> Float[Tensor, "K D"]:
    """Encode pass by pass and keep nothing but the features; the way back computes each pass again.

    One node for all passes: with torch's own checkpointing the graph of every pass stays until the end, and memory
    still grows with the number of texts.

    Args:
        encode: features of one pass, given it and what is shared.
        passes: the texts; their suffix is replaced.
        suffix: of all texts; takes gradients.
        shared: what else takes gradients.
    """
    features: Tensor = _Recomputed.apply(encode, passes, suffix, *shared)
    return features


def cut_passes(lengths: Sequence[int], chunk_size: int | None, most_rows: int) -> Iterator[tuple[int, int]]:
    """Cut texts into passes over the layers; yields the first text of each, and the first behind it."""
    first = rows = 0
    for text, length in enumerate(lengths):
        if text > first and (text - first == chunk_size or rows + length > most_rows):
            yield first, text
            first, rows = text, 0
        rows += length
    yield first, len(lengths)


def chosen(texts: PromptedText, which: Iterable[int]) -> PromptedText:
    """Some of the texts, by their numbers."""
    return replace(texts, tokens=[texts.tokens[text] for text in which])


class _Recomputed(torch.autograd.Function):
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
            if features.requires_grad:  # of texts without learned vectors none do
                torch.autograd.backward(features, wanted)
        return None, None, suffix.grad, *(value.grad for value in shared)
