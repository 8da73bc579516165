"""How far the trials of a run are: a bar on a terminal, elsewhere a line for each tenth; and their mean loss."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from prompt_video.io.progress import Steps
from prompt_video.trials.stacked_task import StackedTask, is_logged


class TrialsProgress(Callback):
    """Says how many trials are done, and about how long the others take.

    Args:
        total: trials of the run.
        done: of them before.
        bar: say it; else nothing is said.
    """

    def __init__(self, total: int, done: int, *, bar: bool) -> None:
        self.total, self.done = total, done
        self._steps = Steps("trials", total, "trials", start=done, stdout=True, show=bar)

    def __enter__(self) -> "TrialsProgress":
        self._steps.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._steps.__exit__(kind, error, trace)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count trials in training by the epochs that they have behind them."""
        count = len(pl_module.tasks) if isinstance(pl_module, StackedTask) else 1
        share = (trainer.current_epoch + 1) / max(trainer.max_epochs or 0, trainer.current_epoch + 1)
        loss = trainer.callback_metrics.get("train/loss")
        if self._steps.has_bar:  # elsewhere a line tells of those that are tested
            self._steps.to(
                min(self.done + count * share, self.total), "" if loss is None else f"loss {float(loss):.3f}"
            )

    def finished(self) -> None:
        """One more is tested."""
        self.done += 1
        if self._steps.has_bar:
            self._steps.to(self.done)

    def say(self) -> None:
        """All that were trained together are tested: without a bar, that is when a line is due."""
        self._steps.to(self.done)


class LossCurve(Callback):
    """The mean loss over trials at the steps that are logged; of a run that was killed, over those since."""

    def __init__(self) -> None:
        self._sums: dict[int, tuple[float, int]] = {}

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any, **options: Any) -> None:  # noqa: ANN401 - Lightning's
        """Add the step of one trial, or of several."""
        loss, step = trainer.callback_metrics.get("train/loss"), trainer.global_step - 1
        if loss is not None and is_logged(trainer):
            count = len(pl_module.tasks) if isinstance(pl_module, StackedTask) else 1
            total, trials = self._sums.get(step, (0.0, 0))
            self._sums[step] = total + count * float(loss), trials + count

    def means(self) -> Sequence[tuple[int, float]]:
        """Each step with the mean loss there."""
        return [(step, total / trials) for step, (total, trials) in sorted(self._sums.items())]
