"""What a person watches: the progress bar, and how much of the time goes into waiting for data."""

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar


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

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ANN401
        """A batch is there: the time since the last step ended was spent waiting."""
        now = time.perf_counter()
        self._waited += now - self._mark
        self._mark = now

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,  # noqa: ANN401
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """A step is done."""
        now = time.perf_counter()
        self._worked += now - self._mark
        self._mark = now
        share = self._waited / max(self._waited + self._worked, 1e-9)
        pl_module.log("data_wait", share, prog_bar=True, batch_size=1, on_step=True, on_epoch=False)


SHOWN = {"train/loss": "loss", "train/top1": "top1", "val/top1": "val_top1", "data_wait": "data_wait"}


class ProgressBar(RichProgressBar):
    """Rich progress bar with few figures: loss, top-1 and the share of time spent waiting for data."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The figures under their short names."""
        metrics = super().get_metrics(trainer, pl_module)
        return {short: metrics[name] for name, short in SHOWN.items() if name in metrics}
