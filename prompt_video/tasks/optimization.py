"""How learned weights are changed: groups of them, learning rates, schedule."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import nn

from data_modules.errors import InputError

Schedule = Literal["constant", "cosine"]
Decayed = Literal["matrices", "all"]


@dataclass(frozen=True)
class Optimization:
    """What a task says of its optimizer; see `VideoTextTask`."""

    optimizer: Callable[[Any], torch.optim.Optimizer]
    prompt_lr: float | None = None
    warmup_steps: int = 0
    schedule: Schedule = "constant"
    decayed: Decayed = "matrices"

    def configure(
        self, model: nn.Module, total_steps: int, instead: Mapping[str, nn.Parameter] | None = None
    ) -> OptimizerLRSchedulerConfig:
        """The optimizer over a model's learned weights.

        Args:
            model: names its weights as `VideoTextModel` does, or as a task that has one.
            total_steps: of the whole training.
            instead: by name, what is changed in the place of the model's own.

        Raises:
            InputError: when the optimizer does not take its settings.
        """
        try:
            optimizer = self.optimizer(parameter_groups(model, self.prompt_lr, self.decayed, instead))
        except ValueError as error:  # a rate, or another of its settings, out of its bounds
            raise InputError(f"model.optimizer: {error}") from error
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.rate(step, total_steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def rate(self, step: int, total_steps: int) -> float:
        """Share of the full learning rate at a step."""
        warm = min(1.0, (step + 1) / (self.warmup_steps + 1))
        if self.schedule == "constant":
            return warm
        progress = (step - self.warmup_steps) / max(1, total_steps - self.warmup_steps)
        return warm * 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))


def parameter_groups(
    model: nn.Module,
    prompt_lr: float | None,
    decayed_weights: Decayed = "matrices",
    instead: Mapping[str, nn.Parameter] | None = None,
) -> list[dict[str, Any]]:
    """The learned weights: which of them decay, and prompts at their own rate; see `Optimization.configure`."""
    decayed, plain, prompts = list[nn.Parameter](), list[nn.Parameter](), list[nn.Parameter]()
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        is_prompt = name.removeprefix("model.").startswith("prompt.")
        is_matrix = weight.ndim >= 2 and "position" not in name
        place = prompts if is_prompt else decayed if is_matrix else plain
        place.append(weight if instead is None else instead[name])
    groups: list[dict[str, Any]] = [{"params": decayed}, {"params": plain}, {"params": prompts}]
    if decayed_weights == "matrices":
        # Vectors that stand for words, positions or offsets have no reason to be drawn to zero.
        for group in groups[1:]:
            group["weight_decay"] = 0.0
    if prompt_lr is not None:
        groups[-1]["lr"] = prompt_lr
    return [group for group in groups if group["params"]]
