"""StackedTask: several trials of recognition trained as one module, each by its own task's loss."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from data_modules.batch import Batch
from data_modules.errors import InputError
from prompt_video.model.linear import faster_products
from prompt_video.model.losses import step_rng
from prompt_video.tasks.logged_loss import LoggedLoss, logged_since
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.trials.stacked_texts import StackedTexts, stacked_weights

# On a CPU trials whose inner values fill its cache are computed one after another: beyond it, memory is what counts.
MOST_BYTES_TOGETHER = 1 << 18  # of one trial's frames
PROMPT = "model.prompt."  # in front of the names of its weights


class StackedTask(LightningModule):
    """The learned weights of several trials, stacked; all else is done by their tasks.

    A trial's loss depends on its own weights alone, so that the gradient of the sum is each trial's own; an optimizer
    that changes each number by itself, as AdamW does, changes it as in a training of that trial alone.

    Args:
        tasks: of the trials, ready for training; alike but for weights, class names, of which all have equally many,
            and chance.
        seeds: of the trials.
        loggers: of each trial: its curves.
    """

    def __init__(
        self, tasks: Sequence[RecognitionTask], seeds: Sequence[int], loggers: Sequence[Sequence[Logger]]
    ) -> None:
        super().__init__()
        self.seeds, self.trial_loggers = list(seeds), loggers
        self.tasks = list(tasks)  # not among its modules: what learns are the weights below
        self.backbone = tasks[0].model.backbone
        self.weights = nn.ParameterDict({_key(name): weight for name, weight in stacked_weights(tasks).items()})
        self.losses, self.right = torch.zeros(len(tasks)), torch.zeros(len(tasks))  # of the last step
        self.logged_loss, self.mean_losses = LoggedLoss(), self.losses
        self.strict_loading = False  # as of `VideoTextTask`
        self._only: int | None = None  # the trial that a checkpoint is of; None: all
        self._objective = [_Objective(tasks[0])]  # in a list, as the tasks
        self._texts: StackedTexts | None = None

    @property
    def named_weights(self) -> dict[str, nn.Parameter]:
        """The stacked weights by the names that they have in a task."""
        return {name: self.weights[_key(name)] for name in _learned(self.tasks[0])}

    def on_fit_start(self) -> None:
        """Bring what does not learn to the device, and see where the candidates' tokens stand."""
        for task in self.tasks:
            task.to(self.device)
        heads = [task.model.prompt for task in self.tasks]
        if heads[0].reads_text and any(True for _ in heads[0].parameters()):
            self._texts = StackedTexts(self.backbone, heads, [task.class_names for task in self.tasks])

    def training_step(self, batches: Sequence[Batch], batch_idx: int) -> Tensor:
        """One step of every trial."""
        loss = self.loss(batches)
        counts = torch.tensor([len(batch["video_id"]) for batch in batches], device=self.losses.device)
        self.mean_losses = self.logged_loss.add(self.losses, counts, logged_since(self.trainer))
        self.log("train/loss", self.mean_losses.mean(), batch_size=len(self.tasks))
        return loss

    def loss(self, batches: Sequence[Batch]) -> Tensor:
        """The trials' losses added up; a trial without a usable video adds nothing.

        Args:
            batches: of each trial.
        """
        weights: dict[str, Tensor] = dict(self.named_weights)
        inputs = self._inputs(batches, weights)
        losses, right = (torch.zeros(len(self.tasks), device=self.device) for _ in range(2))
        total = losses.sum()
        for numbers in _alike(inputs):
            place = torch.tensor(numbers, device=self.device)
            own = weights if len(numbers) == len(self.tasks) else {name: w[place] for name, w in weights.items()}
            stacked = {name: torch.stack([inputs[n][name] for n in numbers]) for name in inputs[numbers[0]]}
            loss, is_right = self._losses(own, stacked)
            losses[place], right[place] = loss.detach(), is_right.mean(-1)
            total = total + loss.sum()
        self.losses, self.right = losses, right
        return total if inputs else torch.stack([weight.sum() * 0.0 for weight in weights.values()]).sum()

    def _inputs(self, batches: Sequence[Batch], weights: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
        """What the loss of each trial that has videos is computed of, by the number of the trial."""
        inputs = {}
        text_features = self._text_features(weights)
        for number, (task, batch, seed) in enumerate(zip(self.tasks, batches, self.seeds, strict=True)):
            if batch["video_id"]:
                _, inputs[number] = task.drawn(batch, step_rng(seed, self.global_step))
                if text_features is not None:
                    inputs[number]["text_features"] = text_features[number]
        return inputs

    def _text_features(self, weights: Mapping[str, Tensor]) -> Sequence[Tensor] | None:
        """Unit vectors of each trial's candidates; None where the text head reads none."""
        if self._texts is not None:
            own = {name.removeprefix(PROMPT): weight for name, weight in weights.items() if name.startswith(PROMPT)}
            return self._texts.features(own).unbind()
        if not self.tasks[0].model.prompt.reads_text:
            return None
        return [task.model.text_features(task.class_names) for task in self.tasks]

    def _losses(self, weights: dict[str, Tensor], inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Loss (G,) and which views were named rightly (G, R), by `RecognitionTask.objective`."""
        objective, texts = self._objective[0], self.tasks[0].class_names

        def of_one(own: dict[str, Tensor], tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            named = {f"task.{name}": weight for name, weight in own.items()}
            loss, right = functional_call(objective, named, (texts, tensors))
            return loss, right

        with faster_products():
            return self._each(of_one, weights, inputs)

    def _each(
        self,
        of_one: Callable[[dict[str, Tensor], dict[str, Tensor]], tuple[Tensor, Tensor]],
        weights: dict[str, Tensor],
        inputs: dict[str, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """What a function gives for each trial, together where that is faster."""
        frames = inputs["frames"]
        if frames.device.type != "cpu" or frames[0].numel() * frames.element_size() < MOST_BYTES_TOGETHER:
            with sdpa_kernel(SDPBackend.MATH):  # of the others torch.func knows not all, and takes them one by one
                result: tuple[Tensor, Tensor] = vmap(of_one, randomness="different")(weights, inputs)
            return result
        each = [of_one(*own) for own in zip(_one_by_one(weights), _one_by_one(inputs), strict=True)]
        loss, right = zip(*each, strict=True)
        return torch.stack(loss), torch.stack(right)

    def on_train_batch_end(self, outputs: object, batch: object, batch_idx: int) -> None:
        """Write each trial's figures to its own curves."""
        if not is_logged(self.trainer):
            return
        rows = zip(self.trial_loggers, self.mean_losses.tolist(), self.right.tolist(), strict=True)
        for loggers, loss, right in rows:
            figures = {"train/loss": loss, "train/top1": right, "epoch": self.current_epoch}
            for logger in loggers:
                logger.log_metrics(figures, step=self.global_step - 1)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """A task's own, over the stacked weights in the place of its."""
        total_steps = int(self.trainer.estimated_stepping_batches)
        return self.tasks[0].optimization.configure(self.tasks[0], total_steps, self.named_weights)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip each trial's gradient by its own norm."""
        if gradient_clip_val and gradient_clip_algorithm in (None, "norm"):
            clip_each_by_norm(list(self.weights.values()), float(gradient_clip_val))
        elif gradient_clip_val:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def hand_over(self) -> None:
        """Give every task the weights that its trial has learned."""
        for number, task in enumerate(self.tasks):
            task.cpu()
            with torch.no_grad():
                for name, weight in _learned(task).items():
                    weight.copy_(self.weights[_key(name)][number])
            task.model.forget_texts()

    def save_one(self, number: int, path: Path) -> None:
        """Write what a training of one trial alone would have saved of its weights, once they are handed over."""
        self._only = number
        self.trainer.save_checkpoint(path, weights_only=True)
        self._only = None

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # noqa: ANN401
        """The learned weights: of all trials, or of the one that is saved by itself."""
        if self._only is not None:
            return self.tasks[self._only].state_dict()
        return {f"weights.{name}": weight.detach() for name, weight in self.weights.items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add which trials it is of, or what the checkpoint of a task has."""
        if self._only is not None:
            self.tasks[self._only].on_save_checkpoint(checkpoint)
        else:
            checkpoint["seeds"], checkpoint["logged_loss"] = self.seeds, self.logged_loss.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to go on from weights of other trials, or of other settings."""
        given = {name: weight.shape for name, weight in checkpoint["state_dict"].items()}
        own = {name: weight.shape for name, weight in self.state_dict().items()}
        if checkpoint.get("seeds") != self.seeds or given != own:
            raise InputError("this checkpoint is of other trials or of other settings; start anew, without --ckpt.")
        self.logged_loss.load(checkpoint.get("logged_loss"))

    def not_finite(self) -> list[str]:
        """The trials whose last loss or whose weights are not finite."""
        bad = ~self.losses.isfinite()
        for weight in self.weights.values():
            bad = bad | ~weight.detach().flatten(1).isfinite().all(1)
        return [task.trial_name or "" for task, is_bad in zip(self.tasks, bad.tolist(), strict=True) if is_bad]


class _Objective(nn.Module):
    """A task's objective as a module's call, as `torch.func.functional_call` wants it."""

    def __init__(self, task: RecognitionTask) -> None:
        super().__init__()
        self.task = task

    def forward(self, texts: Sequence[str], tensors: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        return self.task.objective(texts, **tensors)


def is_logged(trainer: Trainer) -> bool:
    """Whether the figures of the step that was just taken are logged."""
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return trainer.global_step % every == 0


def clip_each_by_norm(weights: Sequence[nn.Parameter], most: float) -> None:
    """Scale down each trial's gradient to a norm of ``most``, as torch's ``clip_grad_norm_`` does for one."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if gradients:
        norm = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)  # (G,)
        share = (most / (norm + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(share.view(-1, *[1] * (gradient.ndim - 1)))


def _learned(task: RecognitionTask) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in task.named_parameters() if weight.requires_grad}


def _key(name: str) -> str:
    """A weight's name as `torch.nn.ParameterDict` takes it."""
    return name.replace(".", "/")


def _alike(inputs: Mapping[int, Mapping[str, Tensor]]) -> list[list[int]]:
    """Numbers of the trials by the shapes of what their loss is computed of."""
    alike = defaultdict(list)
    for number, tensors in inputs.items():
        alike[tuple((name, tensor.shape) for name, tensor in tensors.items())].append(number)
    return list(alike.values())


def _one_by_one(tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    parts = zip(*(tensor.unbind() for tensor in tensors.values()), strict=True)
    return [dict(zip(tensors, own, strict=True)) for own in parts]
