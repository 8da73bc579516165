"""Scores that are mixed of a model's own and frozen ones: score by score, or as one product of longer vectors.

The share of the frozen backbone is from 0 to 1; at 0 nothing is changed.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from prompt_video.model.text_head import Classifier


def mixed_scores(scores: Float[Tensor, "*N K"], frozen: Float[Tensor, "*N K"], share: float) -> Float[Tensor, "*N K"]:
    """Scores with their share of the frozen backbone's.

    Args:
        scores: of the model.
        frozen: cosines of the frozen backbone over the model's temperature.
        share: of the frozen backbone.
    """
    return torch.lerp(scores, frozen, share) if share else scores


def joined_vectors(
    learned: Float[Tensor, "*N L"], frozen: Float[Tensor, "*N D"], share: float
) -> Float[Tensor, "*N E"]:
    """Vectors side by side, so that the product of two such, of a video and of a text, mixes the two cosines.

    Args:
        learned: unit vectors of the model.
        frozen: of the frozen backbone, of the same videos or texts.
        share: of the frozen backbone.
    """
    return torch.cat([learned * (1 - share) ** 0.5, frozen * share**0.5], dim=-1) if share else learned


def joined_classifier(
    own: Classifier, frozen: Float[Tensor, "K D"], temperature: Float[Tensor, ""], share: float
) -> Classifier:
    """What scores `joined_vectors` of videos as `mixed_scores` mixes them.

    Args:
        own: scores the model's vectors alone.
        frozen: unit vectors of the same texts by the frozen backbone.
        temperature: of the model.
        share: of the frozen backbone.
    """
    vectors = joined_vectors(own.vectors, frozen / (temperature / own.temperature), share)
    return Classifier(vectors, own.temperature, None if own.bias is None else own.bias * (1 - share))
