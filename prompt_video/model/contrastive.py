"""Videos against the captions of a batch: the loss, which pairs belong together, and the rows of other processes."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, distributed


def symmetric_nce(similarity: Float[Tensor, "N N"], positives: Bool[Tensor, "N N"]) -> Float[Tensor, ""]:
    """Cross-entropy of every video against all captions and of every caption against all videos, averaged.

    Args:
        similarity: rows videos, columns captions; divided by the temperature.
        positives: what belongs together, the diagonal at least. Of several the probability is to be divided evenly;
            with nothing but the diagonal this is CLIP's own loss.

    Source: the bidirectional loss of UniCL (Yang et al., CVPR 2022), without its own temperature.
    """
    return (_soft_cross_entropy(similarity, positives) + _soft_cross_entropy(similarity.T, positives.T)) / 2


def _soft_cross_entropy(scores: Float[Tensor, "N N"], positives: Bool[Tensor, "N N"]) -> Float[Tensor, ""]:
    log_probability = scores.log_softmax(-1).masked_fill(~positives, 0)
    return -(log_probability.sum(-1) / positives.sum(-1)).mean()


def pair_keys(video_ids: Sequence[str], captions: Sequence[str]) -> Int[Tensor, "N 2"]:
    """A number for each video and for each caption, alike on all processes: equal ones mean the same."""
    pairs = zip(video_ids, captions, strict=True)
    return torch.tensor([[_number(video_id), _number(caption)] for video_id, caption in pairs]).view(-1, 2).long()


def positive_pairs(keys: Int[Tensor, "N 2"]) -> Bool[Tensor, "N N"]:
    """Which video and which caption belong together: of one pair, of one video, or of captions that read alike."""
    return (keys[:, None] == keys[None]).any(-1)


def _number(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def gathered(rows: Shaped[Tensor, "B ..."]) -> Shaped[Tensor, "N ..."]:
    """The rows of all processes in the order of the processes, each of which may have another number, even none.

    Gradients flow back to the process that a row is of, summed over what all processes made of it: where each of them
    computes the same loss of all rows, the mean over processes, as DDP takes it, is the gradient of that loss.
    """
    if not (distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1):
        return rows
    result: Tensor = _Gather.apply(rows)
    return result


class _Gather(torch.autograd.Function):
    """`gathered` with its gradient: that of all processes' losses, for the own rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        count = torch.tensor([len(rows)], device=rows.device)
        counts = [torch.zeros_like(count) for _ in range(distributed.get_world_size())]
        distributed.all_gather(counts, count)
        sizes = [int(size) for size in counts]
        # Backends want equal shapes.
        padded = rows.new_zeros(max(sizes), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        distributed.all_gather(parts, padded)
        rank = distributed.get_rank()
        ctx.own = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ANN401 - torch's own
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total[ctx.own]
