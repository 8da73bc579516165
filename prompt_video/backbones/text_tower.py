"""CLIP's text encoder, computing only what the features depend on, in the way that suits the device.

A CPU is bound by arithmetic and takes the packed way, all other devices the padded one; see the two modules. Both equal
the plain computation over 77 padded positions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from prompt_video.backbones.packed_text import encode_packed, shared_keys_values
from prompt_video.backbones.padded_text import encode_padded
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.text_weights import TextWeights

ROWS_PER_PASS = 2048  # of the packed way: what one pass over the layers works on stays in a CPU's cache
ROWS_PER_READING = 1 << 17  # of the padded way without gradients: bounds memory, and fills any device


class TextTower(TextWeights):
    """The frozen text encoder; made as `TextWeights`."""

    way: Literal["packed", "padded"] | None = None  # None: the one that suits the device

    def forward(self, texts: PromptedText, chunk_size: int | None, *, compiled: bool = False) -> Float[Tensor, "K D"]:
        """Features of the texts.

        Args:
            texts: at least one.
            chunk_size: texts whose inner values are kept at a time; they are computed again on the way back, so that
                memory does not grow with the number of texts. None keeps all.
            compiled: the padded way, by torch.compile.
        """
        way = self.way or ("packed" if texts.prefix.device.type == "cpu" else "padded")
        is_packed = way == "packed" and not compiled
        order = sorted(range(len(texts.tokens)), key=lambda text: len(texts.tokens[text]))
        lengths = [len(texts.tokens[text]) + texts.num_suffix + 1 for text in order]
        learns = torch.is_grad_enabled()
        most_rows = ROWS_PER_PASS if is_packed else sum(lengths) if learns else ROWS_PER_READING
        bounds = list(_passes(lengths, chunk_size, most_rows))
        if len(bounds) == 1 and chunk_size is None and not is_packed:
            return encode_padded(self, texts, texts.prefix, compiled=compiled)
        passes = [_chosen(texts, order[first:end]) for first, end in bounds]
        # What all texts share: of the packed way keys and values, layer by layer.
        shared = shared_keys_values(self, texts.prefix) if is_packed else [texts.prefix]
        encode = partial(encode_packed, self) if is_packed else self._encode_padded
        if chunk_size is not None and learns:
            features: Tensor = _Recomputed.apply(encode, passes, texts.suffix, *shared)
        else:
            features = torch.cat([encode(part, shared) for part in passes])
        place = sorted(range(len(order)), key=lambda position: order[position])
        return features[torch.tensor(place, device=features.device)]

    def _encode_padded(self, texts: PromptedText, shared: Sequence[Float[Tensor, "P W"]]) -> Float[Tensor, "K D"]:
        return encode_padded(self, texts, shared[0])


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
            if features.requires_grad:  # of texts without learned vectors none do
                torch.autograd.backward(features, wanted)
        return None, None, suffix.grad, *(value.grad for value in shared)


def _chosen(texts: PromptedText, which: list[int]) -> PromptedText:
    return replace(texts, tokens=[texts.tokens[text] for text in which])


def _passes(lengths: list[int], chunk_size: int | None, most_rows: int) -> Iterator[tuple[int, int]]:
    """Cut texts into passes over the layers; yields the first text of each, and the first behind it."""
    first = rows = 0
    for text, length in enumerate(lengths):
        if text > first and (text - first == chunk_size or rows + length > most_rows):
            yield first, text
            first, rows = text, 0
        rows += length
    yield first, len(lengths)
