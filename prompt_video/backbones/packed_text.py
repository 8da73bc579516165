"""The text encoder without padding: the least arithmetic, in many products; for CPUs, which are bound by arithmetic.

Every text begins with the same start token and learned prefix, and the encoder is causal: those positions are the same
for all texts and are computed once; each text's own positions attend to their keys and values. Behind a text's end
token nothing is computed, in the last layer only the end tokens are, and texts of unequal length are packed into one
matrix, so that no padding exists.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.packed_attention import LengthBucket, attend, attend_from_end, ends, length_buckets
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.towers import FrozenTextTower


def shared_keys_values(tower: FrozenTextTower, prefix: Float[Tensor, "P W"]) -> list[Float[Tensor, "2 1 H P1 A"]]:
    """Keys and values of the start token and the prefix, layer by layer."""
    x = torch.cat([tower.embed([tower.surroundings.start]).squeeze(0), prefix])
    x = x + tower.positions.weight[: len(x)]  # (P1, W)
    shared = []
    for block in tower.blocks:
        heads = block.query_key_value(x).unsqueeze(0).permute(2, 0, 3, 1, 4)  # (3, 1, H, P1, A)
        shared.append(heads[1:])
        if block is not tower.blocks[-1]:
            query, key, value = heads
            attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
            x = block.finish(x, attended.transpose(1, 2).reshape(len(x), -1))
    return shared


def encode_packed(
    tower: FrozenTextTower, texts: PromptedText, shared: Sequence[Float[Tensor, "2 1 H P1 A"]]
) -> Float[Tensor, "K D"]:
    """Features of texts.

    Args:
        tower: the encoder.
        texts: sorted by length.
        shared: of `shared_keys_values`.
    """
    buckets = length_buckets(texts, num_shared=shared[0].shape[3])
    x = torch.cat([_embed(tower, texts, bucket).flatten(0, 1) for bucket in buckets])  # (N, W)
    for block, prefix in zip(tower.blocks[:-1], shared[:-1], strict=True):
        x = block.finish(x, attend(block.query_key_value(x), prefix, buckets))
    last, end = tower.blocks[-1], ends(buckets, x.device)
    at_end = x[end]
    at_end = last.finish(at_end, attend_from_end(last.query(at_end), last.key_value(x), shared[-1], buckets))
    return tower.project(at_end)


def _embed(tower: FrozenTextTower, texts: PromptedText, bucket: LengthBucket) -> Float[Tensor, "C L W"]:
    """Input of the first layer: own tokens, suffix, end token, with their positions."""
    own, end = tower.embed(bucket.tokens), tower.embed([tower.surroundings.end])
    suffix = texts.suffix_after(own.shape[1])
    rows = torch.cat([own, suffix.expand(len(own), -1, -1), end.expand(len(own), -1, -1)], dim=1)
    start = 1 + len(texts.prefix)
    return rows + tower.positions.weight[start : start + rows.shape[1]]
