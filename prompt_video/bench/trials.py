"""Training many small trials at a time against one by one: time of a trial's step, forward, backward and optimizer.

ViT-B/16's shape with random weights, 16 + X + 16, one temporal layer, AdamW as torch makes it, fp32. A trial has 5
class names of Kinetics-400 and 25 videos of 16 frames. On a GPU the frozen CLIP is in bf16.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.clip import FrozenCLIP
from prompt_video.bench.measure import interleaved
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.bench.text_path import class_tokens
from prompt_video.bench.vit_b16 import fast_clip, precision
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.optimization import Optimization
from prompt_video.trials.stack import TrialStack

NUM_VIDEOS, NUM_FRAMES, NUM_CLASSES = 25, 16, 5
LOSS_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # of the sum of all losses
OPTIMIZATION = Optimization(partial(torch.optim.AdamW, lr=1e-4, weight_decay=0.01))


class _TokensGiven(FrozenCLIP):
    """Class names are their own numbers; the random CLIP's tokenizer knows no words."""

    def tokenize(self, texts: object) -> list[list[int]]:
        tokens = class_tokens(400)
        return [tokens[int(text)] for text in texts]  # type: ignore[attr-defined]


def run(setting: Setting, count: int, rounds: int) -> Figures:
    """How many times faster a trial's step is when ``count`` trials are trained at a time; the losses are the same."""
    clip = fast_clip(setting.vit_b16(), setting.device, _TokensGiven)
    ways = {"one": one_by_one(clip, count), "stack": at_once(clip, count)}
    losses = {name: float(step()) for name, step in ways.items()}
    tolerance = LOSS_TOLERANCE[precision(setting.device)] * losses["one"]
    assert abs(losses["one"] - losses["stack"]) <= tolerance, f"the losses are not the same: {losses}"
    seconds = interleaved(ways, rounds, setting.device)
    return {f"speedup_{count}": seconds["one"] / seconds["stack"], f"ms_{count}": 1e3 / count * seconds["stack"]}


def _size(count: int, seconds: int, rounds: int = 5, *, quick: bool = False) -> Size:
    return Size(f"{count} at a time", 2200 + 120 * count, seconds, {"count": count, "rounds": rounds}, quick)


MEASUREMENTS = (
    Measurement(run, (_size(4, 20), _size(4, 12, rounds=3, quick=True)), on="cpu"),
    Measurement(run, (_size(8, 30),), on="cpu"),
    Measurement(run, (_size(16, 50),), on="cpu"),
    Measurement(run, (_size(8, 10, quick=True),), on="cuda"),
    Measurement(run, (_size(200, 60), _size(100, 40), _size(50, 20)), on="cuda"),
)


def one_by_one(clip: FrozenCLIP, count: int) -> Callable[[], Tensor]:
    """A step of every trial, by models of their own; it gives the sum of their losses."""
    steps = []
    for features, mask, target, texts in zip(*_data(clip, count), strict=True):
        torch.manual_seed(0)
        model = VideoTextModel(clip, PromptLearner, TemporalEncoder).to(clip.mean.device)
        optimizer = OPTIMIZATION.configure(model, 1)["optimizer"]
        steps.append(partial(_single_step, model, optimizer, features, mask, target, texts))

    def step() -> Tensor:
        return torch.stack([one() for one in steps]).sum()

    return step


def at_once(clip: FrozenCLIP, count: int) -> Callable[[], Tensor]:
    """The same by a stack."""
    features, mask, target, texts = _data(clip, count)
    stack = TrialStack(clip, [0] * count, PromptLearner, TemporalEncoder).to(clip.mean.device)
    optimizer = OPTIMIZATION.configure(stack, 1, stacked=True)["optimizer"]

    def step() -> Tensor:
        optimizer.zero_grad()
        scores = stack(features, mask, texts)
        loss = F.cross_entropy(scores.flatten(0, 1), target.flatten(), reduction="sum") / NUM_VIDEOS
        torch.autograd.backward(loss)
        optimizer.step()
        return loss.detach()

    return step


def _single_step(
    model: VideoTextModel,
    optimizer: torch.optim.Optimizer,
    features: Tensor,
    mask: Tensor,
    target: Tensor,
    texts: list[str],
) -> Tensor:
    optimizer.zero_grad()
    loss = F.cross_entropy(model.scores(model.temporal(features, mask), texts), target)
    torch.autograd.backward(loss)
    optimizer.step()
    return loss.detach()


def _data(clip: FrozenCLIP, count: int) -> tuple[Tensor, Tensor, Tensor, list[list[str]]]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(count, NUM_VIDEOS, NUM_FRAMES, clip.embed_dim, generator=generator)
    mask = torch.ones(features.shape[:3], dtype=torch.bool)
    target = torch.arange(NUM_VIDEOS).remainder(NUM_CLASSES).expand(count, -1)
    names = torch.randint(400, (count, NUM_CLASSES), generator=generator).tolist()
    device = clip.mean.device
    return features.to(device), mask.to(device), target.to(device), [[str(name) for name in own] for own in names]
