"""Small trials side by side, in processes of one thread each, against one by one: time of a step of every trial.

ViT-B/16's shape with random weights, 16 + X + 16, one temporal layer, AdamW as torch makes it, fp32. A trial has 5
class names of Kinetics-400 and 25 videos of 16 frames; a step is forward, backward and optimizer. On a GPU the frozen
CLIP is in bf16.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.bench.measure import interleaved
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.bench.text_path import class_tokens
from prompt_video.bench.vit_b16 import fast_backbone, precision
from prompt_video.io.processes import start_method, worker_processes
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.optimization import Optimization

NUM_VIDEOS, NUM_FRAMES, NUM_CLASSES = 25, 16, 5
LOSS_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}  # of the sum of all losses
OPTIMIZATION = Optimization(partial(torch.optim.AdamW, lr=1e-4, weight_decay=0.01))
Step = Callable[[], float]


class _TokensGiven(FrozenBackbone):
    """Class names are their own numbers; the random CLIP's tokenizer knows no words."""

    def tokenize(self, texts: object) -> list[list[int]]:
        tokens = class_tokens(400)
        return [tokens[int(text)] for text in texts]  # type: ignore[attr-defined]


def run(setting: Setting, count: int, rounds: int, processes: int | None = None) -> Figures:
    """How many times faster the trials' steps are in as many processes as there are cores; the losses are the same."""
    folder, device = setting.vit_b16(), setting.device
    processes = min(processes or torch.get_num_threads(), count)
    method = start_method(1, "cuda" if device.type == "cuda" else "cpu")
    arguments = (folder, device, count)
    with worker_processes(processes, 1, method, _prepare, arguments, if_killed="too little memory") as pool:
        steps = make_steps(*arguments)
        ways: dict[str, Step] = {
            "one": lambda: sum(step() for step in steps),
            "side by side": lambda: sum(pool.map(_step, range(count))),
        }
        losses = {name: step() for name, step in ways.items()}
        tolerance = LOSS_TOLERANCE[precision(device)] * losses["one"]
        assert abs(losses["one"] - losses["side by side"]) <= tolerance, f"the losses are not the same: {losses}"
        seconds = interleaved(ways, rounds, device)
    return {
        "processes": processes,
        "speedup": seconds["one"] / seconds["side by side"],
        "ms": 1e3 / count * seconds["side by side"],
    }


def _size(count: int, seconds: int, rounds: int = 5, *, quick: bool = False) -> Size:
    return Size(f"{count} trials", 4000 + 240 * count, seconds, {"count": count, "rounds": rounds}, quick)


MEASUREMENTS = (
    Measurement(run, (_size(8, 40), _size(4, 20, rounds=3, quick=True)), on="cpu", apart=False),
    Measurement(run, (_size(16, 40), _size(8, 20, rounds=3, quick=True)), on="cuda", apart=False),
)


def make_steps(folder: Path, device: torch.device, count: int) -> list[Step]:
    """A step of each trial, by a model of its own; it gives the loss."""
    backbone = fast_backbone(folder, device, _TokensGiven)
    steps: list[Step] = []
    for features, mask, target, texts in zip(*_data(backbone, count), strict=True):
        torch.manual_seed(0)
        model = VideoTextModel(backbone, PromptLearner, TemporalEncoder).to(device)
        optimizer = OPTIMIZATION.configure(model, 1)["optimizer"]
        steps.append(partial(_take_step, model, optimizer, features, mask, target, texts))
    return steps


_steps: list[Step] = []  # of a process that computes for another


def _prepare(folder: Path, device: torch.device, count: int) -> None:
    _steps.extend(make_steps(folder, device, count))


def _step(number: int) -> float:
    return _steps[number]()


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
