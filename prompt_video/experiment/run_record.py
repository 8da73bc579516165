"""What a run was and what came of it, written to its folder: configuration, environment, results, dropped videos."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from data_modules.files.atomic import WriteError, write_whole
from data_modules.files.json_files import json_text, write_json
from data_modules.loading.dropped_videos import DroppedVideos
from data_modules.modules.base import VideoDataModule
from prompt_video.experiment.environment import environment
from prompt_video.io.run_files import CONFIG, FAILED
from prompt_video.model.prompt_words import prompt_words
from prompt_video.reports.dashboard.items import log_items
from prompt_video.reports.document import Section
from prompt_video.reports.results import media, write_prompt_words, write_test
from prompt_video.reports.run_report import test_sections, write_run_report, write_trial_report
from prompt_video.reports.trial_tables import gather_trial_tables
from prompt_video.tasks.base import VideoTextTask, learned_weights

log = logging.getLogger(__name__)

# Where a resumed run's settings differ from the first ones' and mean the same.
_PASSING = ("ckpt_path:", "run_folder:", "weights_only:")


class TrialFiles(Callback):
    """Write what people read of the test of one trial among many.

    Args:
        folder: of the trial.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it, on the first process."""
        if trainer.is_global_zero and isinstance(pl_module, VideoTextTask):
            write_test(self.folder, pl_module.tests, pl_module.describe())
            protocol, name = _data_of(trainer).describe_protocol(), pl_module.trial_name or self.folder.name
            write_trial_report(self.folder, self.folder.parents[1], name, protocol, pl_module.tests)


class RunRecord(Callback):
    """Write what a run was and what came of it.

    Args:
        folder: of the run.
        config: the resolved configuration as YAML.
        seed: of the run.
        command: the verb and its options; None: as this process was started.
    """

    def __init__(self, folder: Path, config: str, seed: int, command: Sequence[str] | None = None) -> None:
        self.folder = folder
        self.config = config
        self.seed = seed
        self.command = command
        self.results: dict[str, Any] = {"metrics": {}}
        self.sections: list[Section] = []  # what the test shows beyond its figures
        self._started = time.monotonic()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """All processes write to the folder of the first."""
        self.folder = trainer.strategy.broadcast(self.folder)
        self.note_losses(_data_of(trainer))

    def begin(self, *, anew: bool = True) -> None:
        """Write configuration and environment; those of a run that is gone on with, if they differ, get a number.

        Args:
            anew: False leaves what is there.
        """
        (self.folder / FAILED).unlink(missing_ok=True)
        config = self.folder / CONFIG
        if config.exists():
            if not anew or _lasting(config.read_text(encoding="utf-8")) == _lasting(self.config):
                return
            number = len(list(self.folder.glob("config*.yaml")))
            for path in (config, self.folder / "environment.json"):
                if path.exists():
                    path.replace(path.with_stem(f"{path.stem}_{number}"))
        write_whole(config, lambda partial: partial.write_text(self.config, encoding="utf-8"))
        write_json(self.folder / "environment.json", environment(self.command))

    def rewrite(self, config: str) -> None:
        """Write the configuration once more, with what was chosen since."""
        self.config = config
        write_whole(self.folder / CONFIG, lambda partial: partial.write_text(config, encoding="utf-8"))

    def note_losses(self, data: VideoDataModule) -> None:
        """From now on write what is lost of the data."""
        if data.dropped_videos.path is None:
            data.dropped_videos.write_to(self.folder / "broken.jsonl")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the last training and validation metrics."""
        self._record(trainer, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the metrics of a validation that was asked for by itself."""
        if trainer.state.fn == "validate":
            self._record(trainer, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the test metrics, and write what people read of the test."""
        self._record(trainer, pl_module)
        if trainer.is_global_zero and isinstance(pl_module, VideoTextTask):
            write_test(self.folder, pl_module.tests, pl_module.describe())
            self.sections = test_sections(pl_module.tests)
            write_run_report(self.folder, self.sections)
            words = prompt_words(pl_module.model.prompt, pl_module.model.backbone)
            write_prompt_words(self.folder, words)
            log_items(pl_module.loggers, lambda: media(pl_module.tests, words))

    def _record(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data = _data_of(trainer)
        found = {name: float(value) for name, value in trainer.callback_metrics.items()}
        metrics = {name: value for name, value in found.items() if math.isfinite(value)}
        if left_out := sorted(found.keys() - metrics.keys()):
            # Losses and scores are looked at one by one: there was nothing to measure, as in a test of a few batches.
            log.warning("not measured, and left out: %s", ", ".join(left_out))
        self.results["metrics"].update(metrics)
        if not trainer.is_global_zero or not isinstance(pl_module, VideoTextTask):
            return
        progress = {
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step if trainer.state.fn == "fit" else self.results.get("steps", 0),
        }
        self.finish(data, pl_module, {**progress, **(pl_module.details() if trainer.state.fn == "test" else {})})
        for logger in trainer.loggers:
            logger.log_metrics(broken(data.dropped_videos), trainer.global_step)

    def finish(self, data: VideoDataModule, task: VideoTextTask, found: Mapping[str, Any]) -> None:
        """Write the results: what a run came to, beside what every run notes."""
        self.results.update(
            {
                "protocol": data.describe_protocol(),
                "model": task.describe(),
                "frozen": task.model.frozen_spec(),
                "seed": self.seed,
                "samples": samples(data.dropped_videos),
                "learned_weights": learned_weights(task),
                **({"controls": about} if (about := task.about_controls()) else {}),
                **found,
                "seconds": round(time.monotonic() - self._started, 2),
            }
        )
        self.results["metrics"] = {**self.results["metrics"], **broken(data.dropped_videos)}
        try:
            write_json(self.folder / "results.json", self.results)
        except WriteError:
            print(json_text(self.results, indent=2))  # what was computed is not lost
            raise
        gather_trial_tables(self.folder)


def samples(dropped_videos: DroppedVideos) -> dict[str, dict[str, int]]:
    """Videos used and dropped, by split."""
    dropped = {split: len(dropped_videos.dropped.get(split, ())) for split in dropped_videos.totals}
    return {
        split: {"used": total - dropped[split], "dropped": dropped[split]}
        for split, total in dropped_videos.totals.items()
    }


def broken(dropped_videos: DroppedVideos) -> dict[str, float]:
    """Videos dropped, by split, as metrics."""
    return {f"broken/{split}": float(videos["dropped"]) for split, videos in samples(dropped_videos).items()}


def _data_of(trainer: Trainer) -> VideoDataModule:
    data: VideoDataModule = trainer.datamodule  # type: ignore[attr-defined]  # set by every entry point of the trainer
    return data


def _lasting(config: str) -> list[str]:
    return [line for line in config.splitlines() if not line.startswith(_PASSING)]
