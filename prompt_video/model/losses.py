"""Losses, and the noise and the candidates of a training step: pure functions."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from prompt_video.model.temporal import mean_frame


def drift(learned: Float[Tensor, "*N D"], frozen: Float[Tensor, "*N D"]) -> Float[Tensor, "*N"]:
    """How far learned features have moved away from the frozen backbone's of the same text or video: 1 - cosine.

    Args:
        learned: any length.
        frozen: any length.

    Source: for texts, the knowledge-guided loss of KgCoOp (Yao et al., CVPR 2023), which takes squared distances: on
    unit vectors twice this.
    """
    return 1 - F.cosine_similarity(learned, frozen, dim=-1)


def feature_noise(
    frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"], scale: float, rng: np.random.Generator
) -> Float[Tensor, "R T D"]:
    """Frame features of a batch, all real frames of a video moved by one random vector.

    What a video shows all along is thereby made uncertain, what changes in it is not: a temporal encoder that learns
    the changes apart from what they happen to finds them in videos of unseen classes too.

    Args:
        frames: of the frozen backbone, not normalised.
        mask: True at real frames.
        scale: standard deviation of the vector, relative to that of the videos' mean frames in this batch; 0 for none.
        rng: of the vectors.
    """
    if not scale:
        return frames
    spread = mean_frame(frames, mask).std(0, correction=0)
    drawn = rng.standard_normal((len(frames), frames.shape[-1]), dtype=np.float32)
    noise = scale * spread * torch.from_numpy(drawn).to(frames)
    return frames + noise.unsqueeze(1) * mask.unsqueeze(-1)


def step_rng(seed: int, step: int, rank: int = 0) -> np.random.Generator:
    """Chance of one training step: by its number, so that a resumed run draws what it would have drawn."""
    return np.random.default_rng((seed % 2**63, step, rank))


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
