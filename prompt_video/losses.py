"""What training minimises: pure functions."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


def drift(learned: Float[Tensor, "*N D"], frozen: Float[Tensor, "*N D"]) -> Float[Tensor, "*N"]:
    """How far learned features have moved away from the frozen CLIP's of the same text or video: 1 - cosine.

    Args:
        learned: any length.
        frozen: any length.

    Source: for texts, the knowledge-guided loss of KgCoOp (Yao et al., CVPR 2023), which takes squared distances: on
    unit vectors twice this.
    """
    return 1 - F.cosine_similarity(learned, frozen, dim=-1)


def some_candidates(
    texts: Sequence[str], target: Int[Tensor, " R"], count: int, rng: np.random.Generator
) -> tuple[list[str], Int[Tensor, " R"]]:
    """Fewer texts to score against: those that are targets, and random others up to ``count`` in all.

    Args:
        texts: all candidates.
        target: indices into them.
        count: candidates to keep; more, where more of them are targets.
        rng: draws the others.

    Returns:
        The kept texts in their order, and the targets as indices into these.

    Source: ``numContrast`` of ju-chen/Efficient-Prompt.
    """
    present = set(target.tolist())
    others = [index for index in range(len(texts)) if index not in present]
    drawn = rng.permutation(len(others))[: max(0, count - len(present))]
    kept = sorted([*present, *(others[index] for index in drawn.tolist())])
    place = torch.full((len(texts),), -1, device=target.device)
    place[torch.tensor(kept, device=target.device)] = torch.arange(len(kept), device=target.device)
    return [texts[index] for index in kept], place[target]
