"""A stack of trials against separate models: equal scores, equal training, equal saved weights."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.clip import FrozenCLIP
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.prompt import PromptLearner, TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.text_head import TextHead
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.optimization import Optimization
from prompt_video.trials.stack import TrialStack
from prompt_video.trials.task import classification

SEEDS = [3, 1, 2**40]
TEXTS = [["star", "a red circle"], ["two squares moving to the left", "star", "", "ring"], ["a car", "the ring", "red"]]
VIDEOS = [4, 3, 4]  # videos of each trial
FRAMES = 5
ADAMW = partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1)
OPTIMIZATION = Optimization(ADAMW, prompt_lr=0.03, warmup_steps=2, schedule="cosine")
# Attention does not depend on the offset of its keys: there the gradient is rounding error, which Adam would scale up
# to a step of full length, in a direction of chance. In single precision that is seen, but for a larger eps.
STEADY = Optimization(partial(ADAMW, eps=1e-3), prompt_lr=0.03, warmup_steps=2, schedule="cosine")
PARTS: dict[str, tuple[Callable[[int], TextHead], Callable[[int], TemporalEncoder]]] = {
    "shared": (partial(PromptLearner, num_prefix=3, num_suffix=2), partial(TemporalEncoder, num_heads=4)),
    "by_position": (
        partial(PromptLearner, num_prefix=2, num_suffix=3, layout="by_position"),
        partial(TemporalEncoder, num_heads=4, start="frozen"),
    ),
    "two_layers": (partial(PromptLearner, num_suffix=0), partial(TemporalEncoder, num_heads=4, num_layers=2)),
    "interpolated": (partial(PromptLearner, num_prefix=0), partial(TemporalEncoder, num_heads=2, max_frames=3)),
    "prompts_only": (PromptLearner, partial(TemporalEncoder, num_layers=0, num_heads=4)),
    "temporal_only": (
        partial(TemplatePrompt, templates=["a {}", "{}"]),
        partial(TemporalEncoder, num_heads=4, start="frozen", num_layers=2),
    ),
    "probe": (LinearProbe, partial(TemporalEncoder, num_heads=4)),
}
Data = tuple[Tensor, Tensor, Tensor]


def data(clip: FrozenCLIP) -> Data:
    """Features, mask and targets of all trials, padded."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(len(SEEDS), max(VIDEOS), FRAMES, clip.embed_dim, generator=generator)
    mask = torch.arange(FRAMES) < torch.randint(1, FRAMES + 1, (*features.shape[:2], 1), generator=generator)
    target = torch.stack([torch.arange(max(VIDEOS)) % len(texts) for texts in TEXTS])
    real = torch.arange(max(VIDEOS)) < torch.tensor(VIDEOS).unsqueeze(1)
    features, mask = features * (mask & real.unsqueeze(-1)).unsqueeze(-1), mask & real.unsqueeze(-1)
    return features.to(clip.towers.text.positions.weight.dtype), mask, target.masked_fill(~real, -1)


def stack_of(clip: FrozenCLIP, kind: str, **settings: Any) -> TrialStack:  # noqa: ANN401 - handed on
    return TrialStack(clip, SEEDS, *PARTS[kind], class_names=TEXTS, **settings).to(
        clip.towers.text.positions.weight.dtype
    )


def singles_of(clip: FrozenCLIP, kind: str, **settings: Any) -> list[VideoTextModel]:  # noqa: ANN401 - handed on
    singles = []
    for seed, texts in zip(SEEDS, TEXTS, strict=True):
        torch.manual_seed(seed)
        model = VideoTextModel(clip, *PARTS[kind], **settings)
        model.set_vocabulary(texts)
        singles.append(model.to(clip.towers.text.positions.weight.dtype))
    return singles


def single_scores(models: list[VideoTextModel], features: Tensor, mask: Tensor) -> list[Tensor]:
    return [
        model.scores(model.temporal(features[t, : VIDEOS[t]], mask[t, : VIDEOS[t]]), TEXTS[t])
        for t, model in enumerate(models)
    ]


def assert_alike(stack: TrialStack, models: list[VideoTextModel], given: Data, tolerance: float) -> None:
    for trial, model in enumerate(models):
        wanted, found = model.learned_state(), stack.learned_state(trial)
        assert wanted.keys() == found.keys()
        for name, weight in wanted.items():
            torch.testing.assert_close(found[name], weight, atol=tolerance, rtol=tolerance, msg=name)
    features, mask, _ = given
    with torch.no_grad():
        scores = stack(features, mask, TEXTS)
        for trial, own in enumerate(single_scores(models, features, mask)):
            rows, columns = own.shape
            torch.testing.assert_close(scores[trial, :rows, :columns], own, atol=10 * tolerance, rtol=tolerance)
            assert (scores[trial, :, columns:] == -torch.inf).all()


def train_stack(stack: TrialStack, given: Data, steps: int, how: Optimization = OPTIMIZATION) -> None:
    features, mask, target = given
    made = how.configure(stack, steps, stacked=True)
    for _ in range(steps):
        made["optimizer"].zero_grad()
        torch.autograd.backward(classification(stack(features, mask, TEXTS), target).sum())
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()  # type: ignore[index]


def train_singles(models: list[VideoTextModel], given: Data, steps: int, how: Optimization = OPTIMIZATION) -> None:
    features, mask, target = given
    for trial, model in enumerate(models):
        made = how.configure(model, steps)
        for _ in range(steps):
            made["optimizer"].zero_grad()
            scores = single_scores(models, features, mask)[trial]
            torch.autograd.backward(F.cross_entropy(scores, target[trial, : VIDEOS[trial]]))
            made["optimizer"].step()
            made["lr_scheduler"]["scheduler"].step()  # type: ignore[index]


@pytest.mark.parametrize("kind", PARTS)
def test_starts_as_separate_models(clip: FrozenCLIP, kind: str) -> None:
    before = torch.get_rng_state()
    stack = stack_of(clip, kind)
    assert torch.equal(torch.get_rng_state(), before)
    assert_alike(stack, singles_of(clip, kind), data(clip), 1e-6)


@pytest.mark.parametrize("learn_temperature", [False, True])
@pytest.mark.parametrize("kind", PARTS)
def test_trains_as_separate_models(double_clip: FrozenCLIP, kind: str, learn_temperature: bool) -> None:
    settings = {"learn_temperature": learn_temperature, "temperature": 0.2}
    stack, models = stack_of(double_clip, kind, **settings), singles_of(double_clip, kind, **settings)
    given = data(double_clip)
    train_stack(stack, given, 6)
    train_singles(models, given, 6)
    start = singles_of(double_clip, kind, **settings)[1].learned_state()
    unused = "log_temperature" if kind == "probe" else ""
    assert all((weight != start[name]).any() for name, weight in models[1].learned_state().items() if name != unused)
    assert_alike(stack, models, given, 1e-9)


@pytest.mark.parametrize("kind", ["shared", "two_layers", "probe"])
def test_trains_as_separate_models_in_single_precision(clip: FrozenCLIP, kind: str) -> None:
    stack, models, given = stack_of(clip, kind), singles_of(clip, kind), data(clip)
    train_stack(stack, given, 6, STEADY)
    train_singles(models, given, 6, STEADY)
    assert_alike(stack, models, given, 1e-5)


def test_chunks_of_texts_change_nothing(double_clip: FrozenCLIP) -> None:
    given = data(double_clip)
    whole, chunked = stack_of(double_clip, "by_position"), stack_of(double_clip, "by_position", text_chunk=2)
    for stack in (whole, chunked):
        train_stack(stack, given, 2)
    for name, weight in whole.learned().items():
        torch.testing.assert_close(chunked.learned()[name], weight, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("kind", ["two_layers", "interpolated", "temporal_only"])
def test_all_trials_in_one_pass(double_clip: FrozenCLIP, kind: str) -> None:
    """On a CPU trials are gone through one by one; elsewhere the temporal encoder takes them all, as here."""
    stack, (features, mask, _) = stack_of(double_clip, kind), data(double_clip)
    mask[:, :, 0] = True
    wanted = stack.video_features(features, mask)
    found: Tensor = stack.temporal(features, mask)
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)


def test_padding_changes_nothing(double_clip: FrozenCLIP) -> None:
    """More rows, more frames, more columns: the same gradients, and none that is no number."""
    stack, (features, mask, target) = stack_of(double_clip, "two_layers"), data(double_clip)
    gradients = []
    for rows, frames in ((0, 0), (2, 3)):
        stack.zero_grad()
        padded = F.pad(features, (0, 0, 0, frames, 0, rows))
        scores = stack(padded, F.pad(mask, (0, frames, 0, rows)), TEXTS)
        torch.autograd.backward(classification(scores, F.pad(target, (0, rows), value=-1)).sum())
        gradients.append({name: weight.grad for name, weight in stack.learned().items()})
    for name, gradient in gradients[0].items():
        assert gradient is not None
        assert gradient.isfinite().all()
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-12, rtol=1e-9)


def test_one_trial_cannot_spoil_another(double_clip: FrozenCLIP) -> None:
    stack, (features, mask, target) = stack_of(double_clip, "shared"), data(double_clip)
    with torch.no_grad():
        stack.get_parameter("prompt.context")[1] = torch.nan
    torch.autograd.backward(classification(stack(features, mask, TEXTS), target).sum())
    for weight in stack.learned().values():
        assert weight.grad is not None
        assert weight.grad[[0, 2]].isfinite().all()


@pytest.mark.parametrize("kind", ["shared", "two_layers", "probe"])
def test_weights_go_to_single_models_and_back(clip: FrozenCLIP, kind: str) -> None:
    stack, given = stack_of(clip, kind, learn_temperature=True), data(clip)
    train_stack(stack, given, 1)
    models = singles_of(clip, kind, learn_temperature=True)
    for trial, model in enumerate(models):
        model.load_learned_state(stack.learned_state(trial))
    assert_alike(stack, models, given, 1e-6)
    other = stack_of(clip, kind, learn_temperature=True)
    for trial, model in enumerate(models):
        other.load_learned_state(trial, model.learned_state())
    assert_alike(other, models, given, 1e-6)


def test_weights_of_another_shape_are_refused(clip: FrozenCLIP) -> None:
    stack = stack_of(clip, "shared")
    with pytest.raises(InputError, match=r"another shape: prompt\.context"):
        stack.load_learned_state(0, stack_of(clip, "prompts_only").learned_state(0))


def test_frozen_scores_and_share(clip: FrozenCLIP) -> None:
    settings = {"frozen_templates": ["a {}"], "frozen_share": 0.3}
    stack, (features, mask, _) = stack_of(clip, "shared", **settings), data(clip)
    with torch.no_grad():
        found = stack.test_scores(features, mask, TEXTS)
        for trial, model in enumerate(singles_of(clip, "shared", **settings)):
            rows, texts = VIDEOS[trial], TEXTS[trial]
            batch: Any = {"features": features[trial, :rows], "mask": mask[trial, :rows], "text": texts}
            for ours, wanted in zip(found, model.test_scores(batch), strict=True):
                torch.testing.assert_close(ours[trial, :rows, : len(texts)], wanted, atol=1e-5, rtol=1e-5)
                assert (ours[trial, :, len(texts) :] == -torch.inf).all()


class CountingCLIP(FrozenCLIP):
    calls = 0

    def encode_text(self, *arguments: Any, **options: Any) -> Tensor:  # noqa: ANN401 - handed on
        self.calls += 1
        return super().encode_text(*arguments, **options)


def test_texts_are_computed_once_in_evaluation(clip: FrozenCLIP) -> None:
    counting = CountingCLIP(clip.name)
    stack = stack_of(counting, "shared").eval()
    with torch.inference_mode():
        first = stack.text_features(TEXTS)
        assert torch.equal(stack.text_features(TEXTS), first)
        assert counting.calls == 1
        stack.text_features([texts[:1] for texts in TEXTS])
        assert counting.calls == 2
    with torch.no_grad():
        stack.get_parameter("prompt.context").add_(1.0)
        assert not torch.allclose(stack.text_features(TEXTS), first)
    hand_crafted = stack_of(counting, "temporal_only").train()
    for _ in range(2):
        assert not hand_crafted.text_features(TEXTS).requires_grad
    assert counting.calls == 4


def test_a_probe_needs_its_class_names(clip: FrozenCLIP) -> None:
    with pytest.raises(InputError, match="class names of every trial"):
        TrialStack(clip, SEEDS, *PARTS["probe"])
    stack, (features, mask, _) = stack_of(clip, "probe"), data(clip)
    with pytest.raises(InputError, match="'ring' is none of them"):
        stack(features, mask, [["ring"], *TEXTS[1:]])
    copy.deepcopy(stack)(features, mask, TEXTS)
