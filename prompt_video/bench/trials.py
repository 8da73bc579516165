"""Small trials trained together against one by one: time of a step of every trial.

ViT-B/16's shape with random weights, 16 + X + 16, one temporal layer, AdamW as torch makes it, fp32. A trial has 5
class names of Kinetics-400 and 25 videos of 16 frames; a step is forward, backward and optimizer. On a GPU the frozen
CLIP is in bf16.
"""

from collections.abc import Callable
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from data_modules.batch import Batch
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.bench.measure import interleaved
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.bench.text_path import class_tokens
from prompt_video.bench.vit_b16 import fast_backbone, precision
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.optimization import Optimization
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.trials.stacked_task import StackedTask

NUM_VIDEOS, NUM_FRAMES, NUM_CLASSES = 25, 16, 5
LOSS_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # of the sum of all losses
OPTIMIZATION = Optimization(partial(torch.optim.AdamW, lr=1e-4, weight_decay=0.01))
Step = Callable[[], float]


class _TokensGiven(FrozenBackbone):
    """Class names are their own numbers; the random CLIP's tokenizer knows no words."""

    def tokenize(self, texts: object) -> list[list[int]]:
        tokens = class_tokens(400)
        return [tokens[int(text)] for text in texts]  # type: ignore[attr-defined]


def run(setting: Setting, count: int, rounds: int) -> Figures:
    """How many times faster a step of all trials is when they are trained together; the losses are the same."""
    backbone = fast_backbone(setting.vit_b16(), setting.device, _TokensGiven)
    ways: dict[str, Step] = {"one": one_by_one(backbone, count), "together": together(backbone, count)}
    losses = {name: step() for name, step in ways.items()}
    tolerance = LOSS_TOLERANCE[precision(setting.device)] * losses["one"]
    assert abs(losses["one"] - losses["together"]) <= tolerance, f"the losses are not the same: {losses}"
    seconds = interleaved(ways, rounds, setting.device)
    return {"speedup": seconds["one"] / seconds["together"], "ms": 1e3 / count * seconds["together"]}


def _size(count: int, seconds: int, rounds: int = 5, *, quick: bool = False) -> Size:
    return Size(f"{count} trials", 2200 + 120 * count, seconds, {"count": count, "rounds": rounds}, quick)


MEASUREMENTS = (
    Measurement(run, (_size(8, 40), _size(4, 20, rounds=3, quick=True)), on="cpu"),
    Measurement(run, (_size(64, 40), _size(8, 20, rounds=3, quick=True)), on="cuda"),
)


def one_by_one(backbone: FrozenBackbone, count: int) -> Step:
    """A step of each trial, by a model and an optimizer of its own; it gives the sum of the losses."""
    steps: list[Step] = []
    for features, mask, target, texts in zip(*_data(backbone, count), strict=True):
        model = _model(backbone)
        optimizer = OPTIMIZATION.configure(model, 1)["optimizer"]
        steps.append(partial(_take_step, model, optimizer, features, mask, target, texts))
    return lambda: sum(step() for step in steps)


def together(backbone: FrozenBackbone, count: int) -> Step:
    """The same by one module of all."""
    batches: list[Batch] = []
    tasks: list[RecognitionTask] = []
    for features, mask, target, texts in zip(*_data(backbone, count), strict=True):
        task = RecognitionTask(backbone_dtype="float32")
        task.model = _model(backbone)
        task.set_class_names(texts)
        tasks.append(task)
        ids = [str(number) for number in range(NUM_VIDEOS)]
        videos = {"features": features, "mask": mask, "time_sec": mask.float(), "target": target, "video_id": ids}
        batches.append(cast(Batch, {**videos, "text": texts, "subset": "train", "num_views": 1, "broken": []}))
    stack = StackedTask(tasks, range(count), [[]] * count).to(backbone.mean.device)
    stack.on_fit_start()
    optimizer = OPTIMIZATION.configure(tasks[0], 1, stack.named_weights)["optimizer"]

    def step() -> float:
        optimizer.zero_grad()
        loss = stack.loss(batches)
        torch.autograd.backward(loss)
        optimizer.step()
        return float(loss.detach())

    return step


def _model(backbone: FrozenBackbone) -> VideoTextModel:
    torch.manual_seed(0)
    return VideoTextModel(backbone, PromptLearner, TemporalEncoder).to(backbone.mean.device)


def _take_step(
    model: VideoTextModel,
    optimizer: torch.optim.Optimizer,
    features: Tensor,
    mask: Tensor,
    target: Tensor,
    texts: list[str],
) -> float:
    optimizer.zero_grad()
    loss = F.cross_entropy(model.scores(model.temporal(features, mask), texts), target)
    torch.autograd.backward(loss)
    optimizer.step()
    return float(loss.detach())


def _data(backbone: FrozenBackbone, count: int) -> tuple[Tensor, Tensor, Tensor, list[list[str]]]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(count, NUM_VIDEOS, NUM_FRAMES, backbone.embed_dim, generator=generator)
    mask = torch.ones(features.shape[:3], dtype=torch.bool)
    target = torch.arange(NUM_VIDEOS).remainder(NUM_CLASSES).expand(count, -1)
    names = torch.randint(400, (count, NUM_CLASSES), generator=generator).tolist()
    device = backbone.mean.device
    return features.to(device), mask.to(device), target.to(device), [[str(name) for name in own] for own in names]
