"""Numbers that are none: a run stops at the first, and names the setting, the step or the video."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn.utils import get_total_norm

from data_modules.errors import InputError

STEPS_UNASKED = 50  # on a GPU, where asking for a number costs more than computing it


# Settings of others, which take what makes no sense without a word, or with a traceback.
POSITIVE = {
    "frame_rate", "trials_at_a_time", "save_every_n_steps", "batch_size", "log_every_n_steps",
    "accumulate_grad_batches", "check_val_every_n_epoch",
}  # fmt: skip
NOT_NEGATIVE = {"lr", "weight_decay", "momentum", "gradient_clip_val"}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that are not finite or out of their bounds; Lightning's callbacks have some of their own.

    Args:
        settings: nested, as they were resolved.

    Raises:
        InputError: naming the first one.
    """
    for place, value in _numbers(settings, ()):
        if place[:2] == ("trainer", "callbacks"):
            continue
        name = ".".join(subset for subset in place if subset != "init_args")
        if not math.isfinite(value):
            raise InputError(f"--{name} is {value}: a finite number is wanted.")
        if (value < 0 and place[-1] in NOT_NEGATIVE) or (value <= 0 and place[-1] in POSITIVE):
            raise InputError(
                f"--{name} is {value}: {'more than 0' if place[-1] in POSITIVE else '0 or more'} is wanted."
            )


def _numbers(value: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:  # noqa: ANN401 - any setting
    if isinstance(value, int | float):
        yield place, value
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _numbers(inner, (*place, str(number)))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, (*place, str(key)))


class StopAtNotFinite(Callback):
    """Training stops after the first step whose loss, or whose weights behind it, are not finite.

    No checkpoint of such weights is saved. On a GPU the first such step is found out some steps later.
    """

    def __init__(self) -> None:
        self._weights: list[Tensor] = []
        self._bad: Tensor | None = None  # (2,): first step of a bad loss, and of bad weights; -1: none

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the learned weights, and that none was bad so far."""
        self._weights = [weight.detach() for weight in pl_module.parameters() if weight.requires_grad]
        self._bad = torch.full((2,), -1, device=pl_module.device)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Note, on the device, whether the step's loss or the weights after it are bad; ask now and then."""
        assert self._bad is not None
        loss: Tensor = outputs["loss"] if isinstance(outputs, Mapping) else outputs
        measured = torch.stack([loss.detach().float(), get_total_norm(self._weights).float()])
        self._bad = torch.where((self._bad < 0) & ~measured.isfinite(), trainer.global_step, self._bad)
        if self._bad.device.type == "cpu" or batch_idx % STEPS_UNASKED == 0:
            self._ask(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop before anything is validated or saved with bad weights."""
        self._ask(pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """As `on_train_epoch_end`, which comes after validation."""
        self._ask(pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """As `on_train_epoch_end`."""
        self._ask(pl_module)

    def _ask(self, module: LightningModule) -> None:
        if self._bad is None:
            return
        loss, weights = self._bad.tolist()
        if loss >= 0 or weights >= 0:
            what = f"the loss of step {loss}" if loss >= 0 else f"{_first_bad(module)} after step {weights}"
            raise InputError(
                f"{what} is not finite, and training stops: a lower learning rate (--model.optimizer.lr) or "
                "--trainer.gradient_clip_val 1 may help."
            )


def _first_bad(module: LightningModule) -> str:
    """The weight that is not finite, or else the largest, whose square is not."""
    learned = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
    bad = (name for name, weight in learned.items() if not weight.isfinite().all())
    return f"the weight {next(bad, None) or max(learned, key=lambda name: learned[name].abs().max().item())}"
