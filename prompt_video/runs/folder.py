"""The folder of a run: resolved configuration, environment, results, dropped videos."""

import json
import os
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from data_modules.atomic import write_whole
from data_modules.base import VideoDataModule
from data_modules.errors import InputError
from data_modules.ledger import BrokenLedger
from prompt_video.prompt_words import prompt_words
from prompt_video.runs.dashboard_items import log_items
from prompt_video.runs.environment import environment
from prompt_video.tasks.base import VideoTextTask, learned_weights
from prompt_video.tasks.tables import write_csv
from prompt_video.trials.journal import JOURNAL

_SHARED = "PROMPT_VIDEO_RUN_FOLDER"


def new_run_folder(root: Path, name: str) -> Path:
    """A folder that no earlier run has used: ``root/name/<date>_<time>``."""
    stamp = datetime.now().strftime("%Y-%m-%d_%H%M%S")
    for number in range(1000):
        folder = root / name / (stamp if number == 0 else f"{stamp}_{number}")
        if not folder.exists():
            return folder
    raise AssertionError("a thousand runs in one second")


def shared_run_folder(root: Path, name: str) -> Path:
    """A new folder; processes that Lightning starts beside this one take the same."""
    if os.environ.get("LOCAL_RANK", "0") != "0" and _SHARED in os.environ:
        return Path(os.environ[_SHARED])
    folder = new_run_folder(root, name)
    os.environ[_SHARED] = str(folder)
    return folder


def newest_checkpoint(root: Path, name: str) -> Path:
    """The last checkpoint of the newest run of an experiment.

    Raises:
        InputError: when there is none.
    """
    # A run of many trials may have finished some before its first checkpoint.
    left = [path for pattern in ("checkpoints/last.ckpt", JOURNAL) for path in (root / name).glob(f"*/{pattern}")]
    if not left:
        raise InputError(f"no run of '{name}' below {root} has a checkpoint to resume; start without --ckpt_path last.")
    newest = max(left, key=lambda path: path.stat().st_mtime)
    return newest.parent / "checkpoints" / "last.ckpt" if newest.name == JOURNAL else newest


class RunRecord(Callback):
    """Write what a run was and what came of it.

    Args:
        folder: of the run.
        config: the resolved configuration as YAML.
        seed: of the run.
    """

    def __init__(self, folder: Path, config: str, seed: int) -> None:
        self.folder = folder
        self.config = config
        self.seed = seed
        self.results: dict[str, Any] = {"metrics": {}}
        self._started = time.monotonic()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write configuration and environment before anything can fail."""
        data = _data_of(trainer)
        self.folder = trainer.strategy.broadcast(self.folder)
        self.open(data, writing=trainer.is_global_zero)

    def open(self, data: VideoDataModule, *, writing: bool = True) -> None:
        """Write configuration and environment, and from now on what is lost of the data.

        Args:
            data: of the run.
            writing: this is the process that writes; all of them note lost videos.
        """
        if writing and not (self.folder / "config.yaml").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "config.yaml").write_text(self.config)
            _write_json(self.folder / "environment.json", environment())
        if data.ledger.path is None:
            data.ledger.write_to(self.folder / "broken.jsonl")

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:  # noqa: ANN401
        """Count what the loader had to drop."""
        _data_of(trainer).ledger.add("train", batch["broken"])

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count what the loader had to drop."""
        _data_of(trainer).ledger.add("val", batch["broken"])

    def on_test_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,  # noqa: ANN401
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count what the loader had to drop."""
        _data_of(trainer).ledger.add(batch["part"], batch["broken"])

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the last training and validation metrics."""
        self._record(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the metrics of a validation that was asked for by itself."""
        if trainer.state.fn == "validate":
            self._record(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the test metrics, and the task's own tables."""
        self._record(trainer, pl_module)
        if trainer.is_global_zero and isinstance(pl_module, VideoTextTask):
            pl_module.write_tables(self.folder)
            words = prompt_words(pl_module.model.prompt, pl_module.model.clip)
            write_csv(self.folder / "prompt_words.csv", [vector.row() for vector in words])
            log_items(pl_module.loggers, pl_module.shown)

    def _record(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = _data_of(trainer)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.results["metrics"].update(metrics)
        if not trainer.is_global_zero or not isinstance(pl_module, VideoTextTask):
            return
        progress = {
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step if trainer.state.fn == "fit" else self.results.get("steps", 0),
        }
        self.finish(data, pl_module, progress)
        for logger in trainer.loggers:
            logger.log_metrics(broken(data.ledger), trainer.global_step)

    def finish(self, data: VideoDataModule, task: VideoTextTask, found: Mapping[str, Any]) -> None:
        """Write the results: what a run came to, beside what every run notes."""
        self.results.update(
            {
                "protocol": data.describe_protocol(),
                "model": task.describe(),
                "frozen": task.model.frozen_spec(),
                "seed": self.seed,
                "samples": samples(data.ledger),
                "learned_weights": learned_weights(task),
                **found,
                "seconds": round(time.monotonic() - self._started, 2),
            }
        )
        self.results["metrics"] = {**self.results["metrics"], **broken(data.ledger)}
        _write_json(self.folder / "results.json", self.results)


def samples(ledger: BrokenLedger) -> dict[str, dict[str, int]]:
    """Videos used and dropped, by split."""
    dropped = {split: len(ledger.dropped.get(split, ())) for split in ledger.totals}
    return {
        split: {"used": total - dropped[split], "dropped": dropped[split]} for split, total in ledger.totals.items()
    }


def broken(ledger: BrokenLedger) -> dict[str, float]:
    """Videos dropped, by split, as metrics."""
    return {f"broken/{split}": float(videos["dropped"]) for split, videos in samples(ledger).items()}


def _data_of(trainer: Trainer) -> VideoDataModule:
    data: VideoDataModule = trainer.datamodule  # type: ignore[attr-defined]  # set by every entry point of the trainer
    return data


def _write_json(path: Path, value: Any) -> None:  # noqa: ANN401
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))
