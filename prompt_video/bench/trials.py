"""Training many small trials at a time against one by one: time of a trial's step, forward, backward and optimizer.

ViT-B/16's shape with random weights, 16 + X + 16, one temporal layer, AdamW as torch makes it, fp32. A trial has 5
class names of Kinetics-400 and 25 videos of 16 frames.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from prompt_video.bench.measure import interleaved
from prompt_video.bench.text_path import class_tokens
from prompt_video.bench.vit_b16 import random_vit_b16
from prompt_video.clip import FrozenCLIP
from prompt_video.model import VideoTextModel
from prompt_video.prompt import PromptLearner
from prompt_video.tasks.optimization import Optimization
from prompt_video.temporal import TemporalEncoder
from prompt_video.trials.stack import TrialStack

NUM_VIDEOS, NUM_FRAMES, NUM_CLASSES = 25, 16, 5
AT_A_TIME = (4, 8, 16)
OPTIMIZATION = Optimization(partial(torch.optim.AdamW, lr=1e-4, weight_decay=0.01))


class _TokensGiven(FrozenCLIP):
    """Class names are their own numbers; the random CLIP's tokenizer knows no words."""

    def tokenize(self, texts: object) -> list[list[int]]:
        tokens = class_tokens(400)
        return [tokens[int(text)] for text in texts]  # type: ignore[attr-defined]


def run(at_a_time: tuple[int, ...] = AT_A_TIME, rounds: int = 5) -> dict[str, float]:
    """How many times faster a trial's step is when so many trials are trained at a time."""
    with random_vit_b16() as folder:
        clip = _TokensGiven(str(folder))
    results: dict[str, float] = {}
    for count in at_a_time:
        seconds = interleaved({"one": one_by_one(clip, count), "stack": at_once(clip, count)}, rounds)
        results[f"speedup_{count}"] = seconds["one"] / seconds["stack"]
        results[f"ms_{count}"] = 1e3 * seconds["stack"] / count
    return results


def one_by_one(clip: FrozenCLIP, count: int) -> Callable[[], None]:
    """A step of every trial, by models of their own."""
    steps = []
    for features, mask, target, texts in zip(*_data(clip, count), strict=True):
        torch.manual_seed(0)
        model = VideoTextModel(clip, PromptLearner, TemporalEncoder)
        optimizer = OPTIMIZATION.configure(model, 1)["optimizer"]
        steps.append(partial(_single_step, model, optimizer, features, mask, target, texts))

    def step() -> None:
        for one in steps:
            one()

    return step


def at_once(clip: FrozenCLIP, count: int) -> Callable[[], None]:
    """The same by a stack."""
    features, mask, target, texts = _data(clip, count)
    stack = TrialStack(clip, [0] * count, PromptLearner, TemporalEncoder)
    optimizer = OPTIMIZATION.configure(stack, 1, stacked=True)["optimizer"]

    def step() -> None:
        optimizer.zero_grad()
        scores = stack(features, mask, texts)
        torch.autograd.backward(F.cross_entropy(scores.flatten(0, 1), target.flatten(), reduction="sum") / NUM_VIDEOS)
        optimizer.step()

    return step


def _single_step(
    model: VideoTextModel,
    optimizer: torch.optim.Optimizer,
    features: Tensor,
    mask: Tensor,
    target: Tensor,
    texts: list[str],
) -> None:
    optimizer.zero_grad()
    scores = model.scores(model.temporal(features, mask), texts)
    torch.autograd.backward(F.cross_entropy(scores, target))
    optimizer.step()


def _data(clip: FrozenCLIP, count: int) -> tuple[Tensor, Tensor, Tensor, list[list[str]]]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(count, NUM_VIDEOS, NUM_FRAMES, clip.embed_dim, generator=generator)
    mask = torch.ones(features.shape[:3], dtype=torch.bool)
    target = torch.arange(NUM_VIDEOS).remainder(NUM_CLASSES).expand(count, -1)
    names = torch.randint(400, (count, NUM_CLASSES), generator=generator).tolist()
    return features, mask, target, [[str(name) for name in own] for own in names]
