"""Which learned weights decay, and at which rate each is learned."""

from functools import partial

import pytest
import torch
from torch import nn

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.optimization import Decayed, Optimization, parameter_groups

ADAMW = partial(torch.optim.AdamW, lr=1e-4, weight_decay=0.01)


def decays(model: nn.Module, decayed: Decayed) -> dict[str, float]:
    optimizer = ADAMW(parameter_groups(model, None, decayed_weights=decayed))
    of = {id(weight): group["weight_decay"] for group in optimizer.param_groups for weight in group["params"]}
    return {name: of[id(weight)] for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.fixture
def model(backbone: FrozenBackbone) -> VideoTextModel:
    return VideoTextModel(backbone, partial(PromptLearner, layout="by_position"), partial(TemporalEncoder, num_heads=4))


def test_matrices_decay_or_all_that_learns(model: VideoTextModel) -> None:
    usual = decays(model, "matrices")
    kinds = ("qkv.weight", "out.weight", "fc1.weight", "fc2.weight")
    assert {name for name, decay in usual.items() if decay} == {f"temporal.blocks.0.{kind}" for kind in kinds}
    everything = decays(model, "all")
    assert everything.keys() == usual.keys()
    assert set(everything.values()) == {0.01}


def test_all_is_what_one_adamw_over_all_parameters_does(model: VideoTextModel) -> None:
    """`optim.AdamW(model.parameters(), lr, weight_decay=0.01)` in src/main.py; the frozen ones have no gradient."""
    start = {name: weight.clone() for name, weight in model.learned_state().items()}

    def stepped(make: partial[torch.optim.AdamW] | None) -> dict[str, torch.Tensor]:
        model.load_learned_state(start)
        if make is None:
            optimizer = Optimization(ADAMW, decayed="all").configure(model, 10)["optimizer"]
        else:
            optimizer = make(model.parameters())
        assert isinstance(optimizer, torch.optim.Optimizer)
        generator = torch.Generator().manual_seed(1)
        for _ in range(3):
            for weight in model.parameters():
                if weight.requires_grad:
                    weight.grad = torch.randn(weight.shape, generator=generator)
            optimizer.step()
        return {name: weight.clone() for name, weight in model.learned_state().items()}

    ours, theirs = stepped(None), stepped(ADAMW)
    assert all(torch.equal(ours[name], weight) for name, weight in theirs.items())
    assert any(not torch.equal(start[name], weight) for name, weight in theirs.items())


def test_prompts_keep_their_own_rate(model: VideoTextModel) -> None:
    *others, prompts = parameter_groups(model, 0.5, decayed_weights="all")
    assert prompts["lr"] == 0.5
    assert "weight_decay" not in prompts
    assert not any("lr" in group for group in others)
