"""The temperature of a method's probabilities, fitted on videos that neither training nor a test has."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from lightning.pytorch import Trainer, seed_everything
from torch import Tensor

from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from prompt_video.model.calibration import Calibration, fit_temperature
from prompt_video.tasks.recognition import RecognitionTask

log = logging.getLogger(__name__)

Judged = tuple[Float[Tensor, "N K"], Int[Tensor, " N"]]  # probabilities, and classes


@dataclass(frozen=True)
class Calibrating:
    """How a temperature is fitted.

    Args:
        make_task: a new task of the same settings.
        make_trainer: that trains it, and leaves nothing behind.
    """

    make_task: Callable[[], RecognitionTask]
    make_trainer: Callable[[], Trainer]

    def calibrate(self, task: RecognitionTask, data: VideoDataModule, number: int) -> Calibration:
        """Fit a temperature, and give it to a task that is trained.

        It is fitted on validation videos, where there are some; else on one training video of each class, which a
        second training does without.

        Args:
            task: trained on a trial.
            data: with open feature stores.
            number: of the trial.

        Raises:
            InputError: when nothing can be held out, or none of what was could be read.
        """
        if data.trials[number].val is not None:
            own, names = data.alone(number), ["val"]
        else:
            own = data.holding_out(number)
            names = list(own.trials[0].tests)
        judge = task if "val" in names else self._trained(own, data.seed_of(number))
        parts = [judged for name in names if len((judged := judged_by(judge, own, name))[1])]
        task.calibration = fit_temperature(parts)
        log.info("%s", task.calibration.describe())
        return task.calibration

    def _trained(self, data: VideoDataModule, seed: int) -> RecognitionTask:
        """A task that learned without the videos that are held out."""
        seed_everything(seed, verbose=False)
        task, trainer = self.make_task(), self.make_trainer()
        if task.has_weights:
            trainer.fit(task, datamodule=data)
        else:
            task.set_class_names(data.trials[0].train.class_names)
            if task.model.needs_examples:
                task.collect_examples(data)
        return task


def judged_by(task: RecognitionTask, data: VideoDataModule, name: str) -> Judged:
    """What a task makes of all videos of a subset.

    Args:
        task: trained.
        data: of one trial, with open feature stores. On several processes each looks through all of them.
        name: of the subset.
    """
    task.eval()
    parts: list[Judged] = []
    with torch.no_grad():
        for batch in data.in_order(name):
            moved = data.transfer_batch_to_device(batch, task.device, 0)
            if batch["video_id"] and not task.model.prompt.unknown(batch["text"]):
                parts.append((task.probabilities(moved)[0].cpu(), batch["target"]))
    if not parts:
        return torch.zeros(0, len(data.subset(name).class_names)), torch.zeros(0, dtype=torch.long)
    return torch.cat([learned for learned, _ in parts]), torch.cat([target for _, target in parts])


def check_task(task: object) -> RecognitionTask:
    """A task whose probabilities a temperature can be fitted to.

    Raises:
        InputError: it is another one.
    """
    if not isinstance(task, RecognitionTask) or not task.sums_to_one:
        raise InputError(
            f"--fit_temperature is for recognition with one label a video, and this is {type(task).__name__}."
        )
    return task
