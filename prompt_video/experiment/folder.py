"""The folder of a run: resolved configuration, environment, results, dropped videos."""

import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from data_modules.errors import InputError
from data_modules.files.atomic import WriteError, write_whole
from data_modules.files.json_files import json_text, write_json
from data_modules.loading.dropped_videos import DroppedVideos
from data_modules.modules.base import VideoDataModule
from prompt_video.experiment.claim import Claim, claim_named, claim_new
from prompt_video.experiment.environment import environment
from prompt_video.io.run_files import CHECKPOINTS, CONFIG, FAILED, JOURNAL, LAST, TRAINED
from prompt_video.model.checkpoints import last_checkpoint
from prompt_video.model.prompt_words import prompt_words
from prompt_video.reports.dashboard.items import log_items
from prompt_video.reports.document import Section
from prompt_video.reports.results import media, write_prompt_words, write_test
from prompt_video.reports.run_report import test_sections, write_run_report, write_trial_report
from prompt_video.reports.trial_tables import gather_trial_tables
from prompt_video.tasks.base import VideoTextTask, learned_weights

log = logging.getLogger(__name__)

_SHARED = "PROMPT_VIDEO_RUN_FOLDER"
# Of a process among several, as Lightning, torchrun and Slurm count them.
_RANKS = ("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
MOST_BYTES = 200  # of a part of a name: most systems take 255, and some is added
# What the folders of runs that train nothing begin with, by their verbs.
KINDS = {"test": "evaluate_", "validate": "validate_", "predict": "predict_"}
# Where a resumed run's settings differ from the first ones' and mean the same.
_PASSING = ("ckpt_path:", "run_folder:", "weights_only:")


def settle_run_folder(
    root: Path, name: str, folder: Path | None, *, verb: str, refused: Sequence[str] = (), writes: bool = True
) -> tuple[Path, Claim | None]:
    """The folder of a run, claimed by the first of its processes; those that Lightning starts beside it take the same.

    Args:
        root: folder for run folders.
        name: of the experiment.
        folder: that is asked for, if any.
        verb: that the run is of.
        refused: files, of another run, with which a folder that is asked for is not taken.
        writes: False for what leaves nothing there, and needs no folder.

    Raises:
        InputError: when another process writes to it, another run is in it, or nothing can be written there.
    """
    if not writes or any(os.environ.get(rank, "0") != "0" for rank in _RANKS):
        return folder or Path(os.environ.get(_SHARED) or root / name / "beside"), None
    if folder is None:
        claim = claim_new(root, name, KINDS.get(verb, ""))
    else:
        claim = claim_named(folder)
        if found := next((path for path in refused if (folder / path).exists()), None):
            claim.leave()
            raise InputError(
                f"{folder} holds a run already ({found}): go on with it by --ckpt last, or name another --run_folder."
            )
    os.environ[_SHARED] = str(claim.folder)
    return claim.folder, claim


def checked_name(name: str) -> str:
    """The name of an experiment, which is also that of a folder below the one for runs.

    Raises:
        InputError: when it would lead out of it, or no folder can have it.
    """
    parts = Path(name).parts
    leads_out = Path(name).is_absolute() or ".." in parts or not parts
    if leads_out or not name.isprintable() or any(len(os.fsencode(part)) > MOST_BYTES for part in parts):
        raise InputError(f"--name {name!a} is no name for a folder in the one for runs: take a plain, short one.")
    return name


def newest_checkpoint(root: Path, name: str) -> Path:
    """The last checkpoint of the newest run of an experiment.

    Raises:
        InputError: when there is none.
    """
    # A run of many trials may have finished some before its first checkpoint.
    left = {path: run for mark in TRAINED for path in (root / name).glob(f"*/{mark}") if (run := _run_of(path, mark))}
    if not left:
        raise InputError(f"no run of '{name}' below {root} has a checkpoint to resume; start without --ckpt last.")
    return checkpoint_of(left[max(left, key=lambda path: path.stat().st_mtime)])


def has_begun(run: Path) -> bool:
    """Whether there is anything of a run to go on from, whole or not; not so before its first checkpoint."""
    return (run / JOURNAL).is_file() or any((run / CHECKPOINTS).glob("*.ckpt"))


def checkpoint_of(run: Path) -> Path:
    """The last checkpoint of a run; of one of many trials that is between two checkpoints, where it will be.

    Raises:
        InputError: when there is none, or none that can be read.
    """
    found = last_checkpoint(run)
    if found is None and not (run / JOURNAL).is_file():
        raise InputError(f"{run} has no whole checkpoint to resume; start without --ckpt last.")
    return found or run / CHECKPOINTS / LAST


def _run_of(path: Path, mark: str) -> Path:
    return path.parents[mark.count("/")]


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
