"""Every way of the fast text path against transformers' plain one: equal features and equal prompt gradients."""

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from prompt_video.backbones import padded_text, text_passes
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.text_tower import TextTower
from prompt_video.model.prompt import PromptLearner

Reference = Callable[..., Tensor]
Learner = Callable[..., PromptLearner]
Same = Callable[..., None]
TEXTS = ["star", "a red circle", "", "two squares moving to the left", "a star", "ring", "a car at the top"]
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


WAYS = {"packed": ("packed", 0.0), "padded": ("padded", torch.inf), "padded_shared": ("padded", 0.0)}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One way of computing the text path; the padded one with the prefix in every text, and once for all."""
    name, cost_of_sharing = WAYS[request.param]
    monkeypatch.setattr(TextTower, "way", name)
    monkeypatch.setattr(padded_text, "FLOPS_A_LAYER_OF_SHARING", cost_of_sharing)
    return str(request.param)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", ["shared", "by_position"])
@pytest.mark.parametrize(("num_prefix", "num_suffix"), [(16, 16), (0, 5), (4, 0), (0, 0)])
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[3:4]], ids=["ragged", "one"])
def test_equals_transformers(
    way: str,
    backbone: FrozenBackbone,
    double_backbone: FrozenBackbone,
    clip_folder: Path,
    reference: Reference,
    dtype: torch.dtype,
    layout: str,
    num_prefix: int,
    num_suffix: int,
    texts: list[str],
    learner: Learner,
    assert_same: Same,
) -> None:
    frozen = backbone if dtype == torch.float32 else double_backbone
    prompt = learner(frozen, num_prefix=num_prefix, num_suffix=num_suffix, layout=layout)
    tokens = frozen.tokenize(texts)
    wanted = partial(reference, clip_folder, dtype=dtype)
    assert_same(frozen.encode_text, wanted, prompt, tokens, TOLERANCE[dtype])


@pytest.mark.parametrize(("hidden_act", "old_eos"), [("gelu", False), ("quick_gelu", True)])
def test_other_checkpoints_equal_transformers(
    way: str,
    make_clip_folder: Callable[..., Path],
    reference: Reference,
    hidden_act: str,
    old_eos: bool,
    learner: Learner,
    assert_same: Same,
) -> None:
    folder = make_clip_folder(hidden_act, old_eos)
    backbone = FrozenBackbone(str(folder))
    prompt, tokens = learner(backbone), backbone.tokenize(TEXTS)
    assert_same(backbone.encode_text, partial(reference, folder, dtype=torch.float32), prompt, tokens, 1e-5)


def test_the_layouts_are_two_models(way: str, backbone: FrozenBackbone, learner: Learner) -> None:
    """A reference that ignored the learned vectors would pass the tests above; it does not pass this one."""
    tokens = backbone.tokenize(TEXTS)
    shared, by_position = learner(backbone), learner(backbone, layout="by_position")
    with torch.no_grad():
        by_position.context[1:33] = shared.context
        one, other = backbone.encode_text(shared.surround(tokens)), backbone.encode_text(by_position.surround(tokens))
    empty = TEXTS.index("")
    torch.testing.assert_close(one[empty], other[empty])
    assert all((one - other).abs().amax(1)[i] > 1e-2 for i in range(len(TEXTS)) if i != empty)


@pytest.mark.parametrize("layout", ["shared", "by_position"])
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 100])
def test_chunks_change_nothing(
    way: str, double_backbone: FrozenBackbone, layout: str, chunk_size: int, learner: Learner, assert_same: Same
) -> None:
    prompt, tokens = learner(double_backbone, layout=layout), double_backbone.tokenize(TEXTS)
    encode = double_backbone.encode_text
    assert_same(partial(encode, chunk_size=chunk_size), encode, prompt, tokens, 1e-12)


def test_passes_change_nothing(
    double_backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch, learner: Learner, assert_same: Same
) -> None:
    prompt, tokens = learner(double_backbone), double_backbone.tokenize(TEXTS)

    def in_small_passes(texts: PromptedText) -> Tensor:
        with monkeypatch.context() as patched:
            patched.setattr(text_passes, "ROWS_PER_PASS", 40)
            return double_backbone.encode_text(texts)

    assert_same(in_small_passes, double_backbone.encode_text, prompt, tokens, 1e-12)


def test_readings_of_a_device_change_nothing(
    double_backbone: FrozenBackbone, monkeypatch: pytest.MonkeyPatch, learner: Learner
) -> None:
    """Without gradients the padded way bounds the rows of a pass; the order of the texts stays."""
    prompt, tokens = learner(double_backbone), double_backbone.tokenize(TEXTS)
    monkeypatch.setattr(TextTower, "way", "padded")
    wanted = double_backbone.encode_text(prompt.surround(tokens)).detach()
    monkeypatch.setattr(text_passes, "ROWS_PER_READING", 40)
    with torch.no_grad():
        torch.testing.assert_close(double_backbone.encode_text(prompt.surround(tokens)), wanted, rtol=0, atol=1e-12)


def test_chunks_keep_less(way: str, backbone: FrozenBackbone, learner: Learner) -> None:
    """What is saved for the backward pass does not grow with the texts when they come in chunks."""
    prompt, tokens = learner(backbone), backbone.tokenize(["a star"])

    def kept(number: int, chunk_size: int | None) -> int:
        sizes = {}

        def keep(saved: Tensor) -> Tensor:
            sizes[saved.untyped_storage().data_ptr()] = saved.untyped_storage().nbytes()
            return saved

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
            features = backbone.encode_text(prompt.surround(tokens * number), chunk_size)
        assert features.requires_grad
        return sum(sizes.values())

    assert kept(64, None) > 3 * kept(16, None)
    assert kept(64, 16) < 2 * kept(16, 16) < kept(16, None)


def test_gradients_reach_the_prompt_only(way: str, backbone: FrozenBackbone, learner: Learner) -> None:
    prompt = learner(backbone)
    torch.autograd.backward(backbone.encode_text(prompt.surround(backbone.tokenize(TEXTS))).sum())
    assert prompt.context.grad is not None
    assert (prompt.context.grad.abs().sum(1) > 0).all()
    assert all(weight.grad is None and not weight.requires_grad for weight in backbone.parameters())


def test_order_of_texts(way: str, backbone: FrozenBackbone, learner: Learner) -> None:
    prompt = learner(backbone)
    with torch.no_grad():
        features = backbone.encode_text(prompt.surround(backbone.tokenize(TEXTS)))
        turned = backbone.encode_text(prompt.surround(backbone.tokenize(TEXTS[::-1])))
    torch.testing.assert_close(turned.flip(0), features)


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 0.1), ("float16", 0.02)])
def test_half_precision(
    way: str,
    backbone: FrozenBackbone,
    clip_folder: Path,
    dtype: str,
    tolerance: float,
    learner: Learner,
    assert_same: Same,
) -> None:
    half = FrozenBackbone(str(clip_folder), dtype)  # type: ignore[arg-type]
    prompt, tokens = learner(backbone), backbone.tokenize(TEXTS)
    assert half.towers.text.token_embedding.weight.dtype == getattr(torch, dtype)
    assert half.encode_text(prompt.surround(tokens)).dtype == torch.float32
    assert_same(half.encode_text, backbone.encode_text, prompt, tokens, tolerance)


def test_a_deep_copy_stands_alone(backbone: FrozenBackbone) -> None:
    twin = copy.deepcopy(backbone).double()
    assert twin.towers.text.token_embedding.weight.dtype == torch.float64
    assert backbone.towers.text.token_embedding.weight.dtype == torch.float32
