"""How far the trials of a run are: a bar on a terminal, elsewhere a line for each tenth; and their mean loss."""

import logging
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from prompt_video.io.console import Terminal
from prompt_video.trials.stacked_task import StackedTask, is_logged

log = logging.getLogger(__name__)

LINES = 10  # that say how far the trials are


class TrialsProgress(Callback):
    """Says how many trials are done, and about how long the others take.

    Args:
        total: trials of the run.
        done: of them before.
        bar: move a bar; else write lines.
    """

    def __init__(self, total: int, done: int, *, bar: bool) -> None:
        self.total, self.before, self.done = total, done, done
        self._began, self._said = time.monotonic(), done * LINES // total
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Terminal(), transient=True, disable=not (bar and sys.stdout.isatty()))
        self._row = self._bar.add_task("trials", total=total, completed=done, said=f"{done} of {total}")

    def __enter__(self) -> "TrialsProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count trials in training by the epochs that they have behind them."""
        count = len(pl_module.tasks) if isinstance(pl_module, StackedTask) else 1
        share = (trainer.current_epoch + 1) / max(trainer.max_epochs or 0, trainer.current_epoch + 1)
        loss = trainer.callback_metrics.get("train/loss")
        self._show(count * share, "" if loss is None else f", loss {float(loss):.3f}")

    def finished(self) -> None:
        """One more is tested."""
        self.done += 1
        self._show()

    def say(self) -> None:
        """Write a line where that is due: once all trials that were trained together are tested."""
        left, tenth = self.total - self.done, self.done * LINES // self.total
        if self._bar.disable and left and tenth > self._said:
            self._said = tenth
            seconds = (time.monotonic() - self._began) / (self.done - self.before) * left
            log.info("%d of %d trials are done, about %s left", self.done, self.total, _time(seconds))

    def _show(self, more: float = 0.0, loss: str = "") -> None:
        completed = min(self.done + more, self.total)
        self._bar.update(self._row, completed=completed, said=f"{self.done} of {self.total}{loss}")


class LossCurve(Callback):
    """The mean loss over trials at the steps that are logged; of a run that was killed, over those since."""

    def __init__(self) -> None:
        self._sums: dict[int, tuple[float, int]] = {}

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401 - Lightning's
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Add the step of one trial, or of several."""
        loss, step = trainer.callback_metrics.get("train/loss"), trainer.global_step - 1
        if loss is not None and is_logged(trainer):
            count = len(pl_module.tasks) if isinstance(pl_module, StackedTask) else 1
            total, trials = self._sums.get(step, (0.0, 0))
            self._sums[step] = total + count * float(loss), trials + count

    def means(self) -> Sequence[tuple[int, float]]:
        """Each step with the mean loss there."""
        return [(step, total / trials) for step, (total, trials) in sorted(self._sums.items())]


def _time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
