"""Exact gradients of a loss over many rows, of which only a few are encoded at a time."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def in_chunks(
    encode: Callable[..., Tensor], inputs: Sequence[Tensor], weights: Sequence[Tensor], chunk_size: int | None
) -> Tensor:
    """Encode rows some at a time, keeping nothing of it but the results; the way back encodes them again.

    Results and gradients are those of encoding all rows at once, as long as each row is encoded by itself.

    Args:
        encode: rows of the inputs to as many rows of results.
        inputs: with as many rows each; no gradients flow to them.
        weights: that ``encode`` learns.
        chunk_size: rows at a time; None: all, and everything is kept.

    Source: gradient caching (Gao et al., RepL4NLP 2021), as one node of the graph, so that it goes with any loss.
    """
    if chunk_size is None or len(inputs[0]) <= chunk_size or not weights:
        return encode(*inputs)
    result: Tensor = _InChunks.apply(encode, chunk_size, len(inputs), *inputs, *weights)
    return result


class _InChunks(torch.autograd.Function):
    """`in_chunks`. The weights are its inputs, so that DDP meets the gradient of each once."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's own
        encode: Callable[..., Tensor],
        chunk_size: int,
        num_inputs: int,
        *tensors: Tensor,
    ) -> Tensor:
        ctx.encode, ctx.chunk_size, ctx.num_inputs = encode, chunk_size, num_inputs
        ctx.save_for_backward(*tensors)
        kind = tensors[0].device.type
        ctx.autocast = kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind)
        return torch.cat([encode(*chunk) for chunk in _chunks(tensors[:num_inputs], chunk_size)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401 - torch's own
        inputs, weights = ctx.saved_tensors[: ctx.num_inputs], ctx.saved_tensors[ctx.num_inputs :]
        total: list[Tensor | None] = [None] * len(weights)
        kind, dtype, enabled = ctx.autocast
        for *chunk, wanted in _chunks([*inputs, gradient], ctx.chunk_size):
            with torch.enable_grad(), torch.autocast(kind, dtype, enabled):
                encoded = ctx.encode(*chunk)
            learned = [number for number, weight in enumerate(weights) if weight.requires_grad]
            parts = torch.autograd.grad(encoded, [weights[number] for number in learned], wanted, allow_unused=True)
            for number, part in zip(learned, parts, strict=True):
                if part is not None:
                    known = total[number]
                    total[number] = part if known is None else known + part
        return None, None, None, *[None] * len(inputs), *total


def _chunks(tensors: Sequence[Tensor], chunk_size: int) -> Sequence[tuple[Tensor, ...]]:
    return list(zip(*(torch.split(tensor, chunk_size) for tensor in tensors), strict=True))
