"""Several lists of texts at a time, by torch.func too, against each list by itself."""

from collections.abc import Sequence

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.model.prompt import PromptLearner
from prompt_video.trials.stacked_texts import StackedTexts, stacked_weights

TEXTS = [["star", "moving left and right", "a cross"], ["spinning", "a", "big red star that grows"]]


@pytest.mark.parametrize(
    "settings",
    [
        {"num_prefix": 3, "num_suffix": 2},
        {"num_prefix": 3, "num_suffix": 2, "layout": "by_position"},
        {"num_prefix": 0, "num_suffix": 4},
        {"num_prefix": 4, "num_suffix": 0},
    ],
    ids=str,
)
def test_lists_together_equal_each_by_itself(settings: dict[str, int | str]) -> None:
    clip = FrozenBackbone("tiny")
    prompts = [PromptLearner(clip.width, **settings, init_std=0.5) for _ in TEXTS]  # type: ignore[arg-type]
    weights = stacked_weights(prompts)
    together = StackedTexts(clip, prompts, TEXTS).features(dict(weights))
    wanted = torch.randn(together.shape)
    torch.autograd.backward((together * wanted).sum())
    for number, (prompt, texts) in enumerate(zip(prompts, TEXTS, strict=True)):
        features = prompt(texts, clip)
        assert_close(together[number], features, rtol=0, atol=1e-5)
        (features * wanted[number]).sum().backward()
        assert_close(_gradient(weights["context"])[number], _gradient(prompt.context), rtol=1e-4, atol=1e-5)


def _gradient(weight: nn.Parameter) -> torch.Tensor:
    assert weight.grad is not None
    return weight.grad


def test_half_precision_of_the_encoder_is_not_that_of_the_features() -> None:
    clip = FrozenBackbone("tiny", "bfloat16")
    prompts: Sequence[PromptLearner] = [PromptLearner(clip.width) for _ in TEXTS]
    features = StackedTexts(clip, prompts, TEXTS).features(dict(stacked_weights(prompts)))
    assert features.dtype == torch.float32
    assert_close(features[1], prompts[1](TEXTS[1], clip), rtol=0, atol=2e-2)
