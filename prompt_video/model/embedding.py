"""Unit vectors of videos and texts, whose product is what the model's test scores come from."""

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder, mean_frame
from prompt_video.model.video_text_model import VideoTextModel


def dim_of(model: VideoTextModel) -> int:
    """Numbers in a vector."""
    return model.clip.embed_dim * (2 if model.frozen_share else 1)


def video_vectors(
    model: VideoTextModel, frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]
) -> Float[Tensor, "R E"]:
    """One unit vector a video, of features of its frames."""
    learned = F.normalize(model.temporal(frames, mask), dim=-1)
    if not model.frozen_share:
        return learned
    return _both(model, learned, F.normalize(mean_frame(frames, mask), dim=-1))


def text_vectors(model: VideoTextModel, texts: Sequence[str]) -> Float[Tensor, "K E"]:
    """One unit vector a text."""
    learned = model.text_features(texts)
    return _both(model, learned, model.frozen_text_features(texts)) if model.frozen_share else learned


def _both(model: VideoTextModel, learned: Float[Tensor, "R D"], frozen: Float[Tensor, "R D"]) -> Float[Tensor, "R E"]:
    """Side by side, so that the product of two such vectors mixes the two cosines as `test_scores` does."""
    share = model.frozen_share
    return torch.cat([learned * (1 - share) ** 0.5, frozen * share**0.5], dim=-1)


def frozen_model(model: VideoTextModel, templates: str | Sequence[str] | None = None) -> VideoTextModel:
    """The frozen CLIP that a model is compared with: its hand-crafted templates, and frames averaged.

    Args:
        model: the model.
        templates: others than its; see `TemplatePrompt`.
    """
    temporal, templates = model.temporal, model.frozen_prompt.templates if templates is None else templates
    return VideoTextModel(
        model.clip,
        partial(
            TemplatePrompt,
            templates=templates,
            context_length=model.clip.context_length,
            too_long="truncate",
        ),
        partial(TemporalEncoder, num_layers=0, num_heads=temporal.num_heads, max_frames=temporal.max_frames),
        frozen_templates=templates,
    )


def refuse_probe(prompt: str) -> None:
    """A model that reads no texts cannot be searched with.

    Args:
        prompt: name of the class of its text head.

    Raises:
        InputError: when it is a linear probe.
    """
    if prompt == LinearProbe.__name__:
        raise InputError(
            "this model is a linear probe: it knows the class names that it learned and reads no other text, so that "
            "nothing can be searched with it. Take a model that learned prompts, or say --frozen."
        )
