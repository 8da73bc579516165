"""What plain loops of a method's formula are made of."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import TextShape
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.text_head import TextHead
from prompt_video.model.video_text_model import VideoTextModel

NAMES = ["star", "a ring", "the red star"]


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def model_of(
    backbone: FrozenBackbone, prompt: Callable[[TextShape], TextHead], temporal: type[TemporalEncoder] | None = None
) -> VideoTextModel:
    averaged = temporal or (partial(TemporalEncoder, num_layers=0, num_heads=1))
    model = VideoTextModel(backbone, prompt, averaged)
    model.set_vocabulary(NAMES)
    return model


def softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    shares = [math.exp(score - top) for score in scores]
    return [share / sum(shares) for share in shares]


def dot(one: Tensor, other: Tensor) -> float:
    return float(sum(a * b for a, b in zip(one.tolist(), other.tolist(), strict=True)))
