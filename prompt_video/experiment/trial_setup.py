"""How the trials of an experiment are trained, several together or one by one, and how constants are chosen."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger

from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from prompt_video.backbones.precision import device_type
from prompt_video.experiment.building import build
from prompt_video.experiment.checkpoint_files import with_whole_checkpoints
from prompt_video.experiment.progress import ProgressBar
from prompt_video.experiment.run_record import TrialFiles
from prompt_video.experiment.several_processes import StopTogether
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.finite import StopAtNotFinite
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.trials.calibrating import Calibrating, check_task
from prompt_video.trials.choosing import Choosing, Values, points, with_values
from prompt_video.trials.one_trial import TrialTraining
from prompt_video.trials.stacked_trials import at_a_time, why_not_stacked


@dataclass(frozen=True)
class TrialSetup:
    """Makes what trains a trial: as the experiment itself is trained, but for what is a trial's own.

    Args:
        settings: of the experiment, resolved.
        trainer_options: of the experiment's trainer.
        own_callbacks: that the experiment's YAML names.
        task: the experiment's, of which each trial has one alike.
        data: the experiment's.
        run_folder: of the run.
        watching: more callbacks, that all trainers share.
    """

    settings: Any  # a namespace of the configuration
    trainer_options: Any  # likewise
    own_callbacks: Sequence[Callback]
    task: VideoTextTask
    data: VideoDataModule
    run_folder: Path
    watching: Sequence[Callback] = ()

    @property
    def tests_last(self) -> bool:
        """Whether the last weights are tested, since there is nothing to choose better ones by.

        That is so without validation videos; and in trials of recognition, be they trained together or one alone: what
        is best on the few classes that one of them shows in training is not what is best on others.
        """
        is_one_of_several = len(self.data.trials) > 1 or self.data.trial is not None
        return self.data.trials[0].val is None or (isinstance(self.task, RecognitionTask) and is_one_of_several)

    def check(self) -> None:
        """Refuse, before anything is computed, what cannot be chosen, calibrated or trained together.

        Raises:
            InputError: of `choosing`, `calibrating` and `count`, and of a value that a constructor refuses.
        """
        choosing = self.choosing(together=False)
        with torch.random.fork_rng(devices=()):  # what is drawn here is thrown away
            for name, values in (choosing.lists if choosing else {}).items():
                for value in values:
                    self._task_with({name: value})
        self.calibrating()
        if len(self.data.trials) > 1:
            self.count()

    def count(self) -> int:
        """How many trials are trained together.

        Raises:
            InputError: when more than one is asked for, and they cannot be.
        """
        asked: int | None = self.settings["trials_at_a_time"]
        if asked == 1:
            return 1
        precision = self.trainer_options["precision"]
        reasons = {
            "constants of their method are chosen for each": bool(self.settings["choose"]),
            "a temperature is fitted to each": bool(self.settings["fit_temperature"]),
            "the trainer has callbacks of its own": bool(self.own_callbacks),
            f"trainer.precision is {precision}": precision == "16-mixed",
        }
        reason = why_not_stacked(self.task, self.data)
        reason = reason or next((reason for reason, holds in reasons.items() if holds), None)
        if reason is None:
            return asked or at_a_time(self.task, self.data, device_type(self.trainer_options["accelerator"]))
        if asked is not None:
            raise InputError(f"--trials_at_a_time is {asked}, and these trials are trained one by one: {reason}.")
        return 1

    def training(self, count: int) -> TrialTraining:
        """What trains them.

        Args:
            count: that are trained together.
        """
        return TrialTraining(
            partial(self._task_with, {}),
            self.data,
            self.run_folder,
            partial(self._trainer, count > 1),
            self.settings["save_every_n_steps"],
            self.settings["monitor"],
            tests_best=not self.tests_last,
            choosing=self.choosing(together=count > 1),
            calibrating=self.calibrating(),
        )

    def calibrating(self) -> Callable[[Values], Calibrating] | None:
        """How a temperature is fitted to a method with chosen values, where one is asked for.

        Raises:
            InputError: when the task is none that has such probabilities.
        """
        if not self.settings["fit_temperature"]:
            return None
        check_task(self.task)

        def of(values: Values) -> Calibrating:
            make_task = cast("Callable[[], RecognitionTask]", partial(self._task_with, values))
            return Calibrating(make_task, partial(self._trainer, False, [], None))

        return of

    def choosing(self, *, together: bool) -> Choosing | None:
        """How constants are chosen, where the method, or the command line, has lists of them.

        Args:
            together: for trials that are trained together.

        Raises:
            InputError: when the task is none that has constants, or has none of these names.
        """
        if not (lists := self.settings["choose"]):
            return None
        if not isinstance(self.task, (RecognitionTask, LocalizationTask)):
            name = type(self.task).__name__
            raise InputError(f"choose is for recognition and localization, and this is {name}; say --choose null.")
        lists = dict(lists)
        with_values(copy.deepcopy(self.settings["model"]), points(lists)[0])  # a wrong name is told at once
        return Choosing(lists, self._task_with, partial(self._trainer, together, [], None))

    def _task_with(self, values: Values) -> VideoTextTask:
        settings = copy.deepcopy(self.settings["model"])
        with_values(settings, values)
        return cast(VideoTextTask, build(VideoTextTask, settings))

    def _trainer(self, together: bool, callbacks: list[Callback], folder: Path | None) -> Trainer:
        """As the experiment's own; the trial's curves are in its own folder."""
        changes: dict[str, Any] = {"logger": CSVLogger(folder, name="", version="logs") if folder else False}
        if self.tests_last:
            changes["limit_val_batches"] = 0
        if together:
            changes |= {"devices": 1, "num_nodes": 1, "strategy": "auto", "enable_progress_bar": False}
        options = {**self.trainer_options.as_dict(), **changes}
        own = [copy.deepcopy(callback) for callback in self.own_callbacks]
        if options.get("enable_checkpointing") is False or options.get("fast_dev_run"):
            callbacks = []
        if self.settings["quiet"]:
            options["enable_progress_bar"] = False
        elif options.get("enable_progress_bar") is not False:
            own.append(ProgressBar(self.settings["monitor"] or self.task.monitor))
        options["plugins"] = with_whole_checkpoints(options.get("plugins"))
        options |= {"enable_model_summary": False, "default_root_dir": self.run_folder}
        files = [TrialFiles(folder)] if folder else []
        return Trainer(
            **{**options, "callbacks": [*own, *self.watching, StopAtNotFinite(), StopTogether(), *files, *callbacks]}
        )
