"""What a person watches: the progress bar, and how much of the time goes into waiting for data."""

import time
from math import inf, isfinite
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar as ProgressCallback

from data_modules.modules.extraction import ExtractionTask
from prompt_video.io.progress import Steps

EVERY_SEC = 10.0  # lines within an epoch or a test come no closer
MUCH_WAITING = 0.1  # of the time, for data: then more data.num_workers would help


class DataWait(Callback):
    """Log ``data_wait``: the share of training time spent waiting for the next batch, averaged over an epoch.

    Well above 0.1 means that more ``data.num_workers`` would help.
    """

    def __init__(self) -> None:
        self._mark = 0.0
        self._waited = 0.0
        self._worked = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start counting anew."""
        self._mark, self._waited, self._worked = time.perf_counter(), 0.0, 0.0

    def on_train_batch_start(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Lightning's
        """A batch is there: the time since the last step ended was spent waiting."""
        now = time.perf_counter()
        self._waited += now - self._mark
        self._mark = now

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any, **options: Any) -> None:  # noqa: ANN401 - Lightning's
        """A step is done."""
        now = time.perf_counter()
        self._worked += now - self._mark
        self._mark = now
        share = self._waited / max(self._waited + self._worked, 1e-9)
        pl_module.log("data_wait", share, prog_bar=True, batch_size=1, on_step=True, on_epoch=False)


class ProgressBar(ProgressCallback):
    """One bar for a whole training, test or extraction, and without a terminal a line for each epoch, see `Steps`.

    Args:
        monitor: the figure of validation that is told.
    """

    def __init__(self, monitor: str | None = None) -> None:
        super().__init__()
        self.monitor = monitor
        self.is_enabled = True
        self._steps: Steps | None = None
        self._validated: dict[str, float] = {}  # the figure of the last validation

    def disable(self) -> None:
        """Say nothing: another process does."""
        self.is_enabled = False

    def enable(self) -> None:
        """Show how far it is."""
        self.is_enabled = True

    def _open(self, what: str, total: int | float, noun: str, start: int | float = 0, every_sec: float = 0.0) -> None:
        self._close()
        known = total if isfinite(total) else None
        steps = Steps(what, known, noun, start=start, stdout=True, every_sec=every_sec, show=self.is_enabled)
        self._steps = steps.__enter__()

    def _close(self) -> None:
        if self._steps is not None:
            self._steps.__exit__(None, None, None)
            self._steps = None

    def _to(self, done: int | float, beside: str = "", what: str | None = None) -> None:
        if self._steps is not None:
            self._steps.to(done, beside, what)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A bar over all epochs."""
        epochs, steps = trainer.max_epochs or -1, trainer.max_steps
        total = trainer.num_training_batches * epochs if epochs > 0 else inf
        if steps > 0:
            total = min(total, steps * trainer.accumulate_grad_batches)
        self._before = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        start = trainer.current_epoch * trainer.num_training_batches + self._before
        self._open(_epoch(trainer), total, "batches", start, EVERY_SEC)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """One batch more."""
        done = trainer.current_epoch * trainer.num_training_batches + batch_idx + 1
        self._to(done, self._figures(trainer, pl_module), _epoch(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Its line, where there is no bar."""
        if self._steps is not None:
            self._steps.what = _epoch(trainer)
            self._steps.say(self._figures(trainer, pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The bar goes."""
        self._close()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A bar over all tests."""
        self._open("testing", sum(trainer.num_test_batches), "batches", every_sec=EVERY_SEC)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A bar of its own, but within a training."""
        if trainer.state.fn != "fit":
            self._open("validating", sum(trainer.num_val_batches), "batches", every_sec=EVERY_SEC)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A bar over all videos of an extraction, else over all batches."""
        if isinstance(pl_module, ExtractionTask):
            self._open(pl_module.title, pl_module.num_videos, "videos")
        else:
            self._open("predicting", sum(trainer.num_predict_batches), "batches", every_sec=EVERY_SEC)

    def on_test_batch_end(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - Lightning's
        """One batch more."""
        self._advance()

    def on_predict_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any, **options: Any) -> None:  # noqa: ANN401 - Lightning's
        """One batch more; of an extraction those videos that it ended."""
        if isinstance(pl_module, ExtractionTask):
            self._to(pl_module.num_finished, f"{pl_module.num_frames:,} frames")
        else:
            self._advance()

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any, **options: Any) -> None:  # noqa: ANN401 - Lightning's
        """One batch more; within a training the bar says that it waits for this."""
        if trainer.state.fn != "fit":
            self._advance()
        elif self._steps is not None:
            self._to(self._steps.done, self._figures(trainer, pl_module), f"{_epoch(trainer)}, validation")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The bar goes, but within a training, which tells what came of it from now on."""
        if trainer.state.fn != "fit":
            self._close()
        elif (value := trainer.callback_metrics.get(str(self.monitor))) is not None and not trainer.sanity_checking:
            self._validated = {str(self.monitor): float(value)}

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The bar goes."""
        self._close()

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The bar goes."""
        self._close()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Nothing is left of it."""
        self._close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Nothing is left of it before a message."""
        self._close()

    def _advance(self) -> None:
        if self._steps is not None:
            self._steps.advance()

    def _figures(self, trainer: Trainer, pl_module: LightningModule) -> str:
        """Those of training, the one that the best epoch is best in, and waiting for data where it is much."""
        figures = {name: float(value) for name, value in trainer.progress_bar_metrics.items()}
        waited = figures.pop("data_wait", 0.0)
        figures = {name: value for name, value in sorted(figures.items()) if name.startswith("train/")}
        told = [
            f"{name.removeprefix('train/').replace('/', ' ')} {value:.3g}"
            for name, value in (figures | self._validated).items()
        ]
        return "  ".join([*told, *([f"waiting for data {waited:.0%}"] if waited > MUCH_WAITING else [])])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_steps": None}  # a terminal cannot be copied


def _epoch(trainer: Trainer) -> str:
    epochs = trainer.max_epochs or -1
    return f"epoch {trainer.current_epoch + 1}{f'/{epochs}' if epochs > 0 else ''}"
