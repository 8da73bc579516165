"""One trial of an experiment, trained and tested as an experiment of its own, resumable after a kill."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

from data_modules.modules.base import VideoDataModule
from prompt_video.io.run_files import CHECKPOINTS, LAST, LEARNED, TRIALS
from prompt_video.model.checkpoints import last_checkpoint
from prompt_video.tasks.base import VideoTextTask
from prompt_video.trials.calibrating import Calibrating, check_task
from prompt_video.trials.choosing import Choosing, Values
from prompt_video.trials.journal import TrialResult

MOST_KEPT = 20  # trials of a run that each leave a folder behind; of more, the figures are kept


@dataclass(frozen=True)
class TrialTraining:
    """How the trials of an experiment are trained, now or after a kill.

    Args:
        make_task: a new task, with weights drawn by the seed that is set.
        data: with open feature stores.
        folder: of the run. What a trial leaves behind is in its ``trials/<number>``: its learned weights, tables and
            logs; and its last checkpoint while it is trained.
        make_trainer: a trainer for one trial, with these callbacks; its logs go to the folder, if there is one.
        save_every_n_steps: save a checkpoint so often; None for once a minute.
        monitor: metric that the best weights are best in; None: the task's own.
        tests_best: test the weights that are best in validation, where a trial has any; else the last ones.
        choosing: how constants of the method are chosen for each trial; None for none.
        calibrating: how a temperature is fitted to each, given what was chosen; None for none.
    """

    make_task: Callable[[], VideoTextTask]
    data: VideoDataModule
    folder: Path
    make_trainer: Callable[[list[Callback], Path | None], Trainer]
    save_every_n_steps: int | None = None
    monitor: str | None = None
    tests_best: bool = True
    choosing: Choosing | None = None
    calibrating: Callable[[Values], Calibrating] | None = None

    @property
    def keeps(self) -> bool:
        """Whether each trial leaves a folder behind."""
        return len(self.data.trials) <= MOST_KEPT

    def folder_of(self, number: int) -> Path:
        """What a trial leaves behind."""
        return self.folder / TRIALS / f"{number:03d}"

    def begin(self, number: int) -> tuple[VideoTextTask, VideoDataModule]:
        """The task of a trial, with weights drawn by its seed, and its data alone."""
        seed_everything(self.data.seed_of(number), verbose=False)
        return self.make_task(), self.data.alone(number)

    def run(self, number: int, *, resume: bool = False, watching: Sequence[Callback] = ()) -> TrialResult:
        """Train a trial with a model of its own, and test it.

        Args:
            number: of the trial.
            resume: go on from its last checkpoint, if there is one.
            watching: more callbacks, of the training alone.
        """
        trial, own = self.data.trials[number], self.folder_of(number)
        kept = last_checkpoint(own) if resume else None
        task, data = self.begin(number)
        chosen: dict[str, float] = {}
        if self.choosing is not None:
            chosen = dict(self.choosing.choose(self.data, number).values)
            seed_everything(self.data.seed_of(number), verbose=False)
            task = self.choosing.make_task(chosen)
        best = _best(own, self.monitor or task.monitor) if self.tests_best and trial.val is not None else None
        put_logs_aside(own)
        callbacks = [*([best] if best else []), self.last(own / CHECKPOINTS), *watching]
        trainer = self.make_trainer(callbacks, own if self.keeps else None)
        if task.has_weights:
            trainer.fit(task, datamodule=data, ckpt_path=str(kept) if kept else None, weights_only=True)
            if best and best.best_model_path:
                task.load_checkpoint(Path(best.best_model_path))
        elif task.model.needs_examples:
            task.collect_examples(data)
        noted = {f"chosen/{name}": value for name, value in chosen.items()}
        if self.calibrating is not None:
            calibration = self.calibrating(chosen).calibrate(check_task(task), self.data, number)
            noted["calibration/temperature"] = calibration.temperature
        result = self.test(number, task, data, trainer)
        result = replace(result, metrics={**result.metrics, **noted})
        is_kept = best is not None and bool(best.best_model_path) and self.calibrating is None  # with its own step
        if self.keeps and not is_kept and (task.has_weights or task.model.needs_examples):
            trainer.save_checkpoint(own / LEARNED, weights_only=True)
        if trainer.is_global_zero:
            shutil.rmtree(own / CHECKPOINTS if self.keeps else own, ignore_errors=True)
        trainer.strategy.barrier("trial")
        return result

    def test(self, number: int, task: VideoTextTask, data: VideoDataModule, trainer: Trainer) -> TrialResult:
        """Test a trial that is trained.

        Args:
            number: of the trial.
            task: its own.
            data: its own.
            trainer: its own.
        """
        trainer.test(task, datamodule=data, verbose=False)
        found = trainer.callback_metrics.items()
        metrics = {name: float(value) for name, value in found if name.startswith(("test/", "controls/"))}
        return TrialResult(number, self.data.trials[number].name, self.data.seed_of(number), metrics)

    def last(self, folder: Path) -> Callback:
        """Keeps what is needed to go on; an epoch of a few videos is a blink, and one of many takes hours."""
        steps = self.save_every_n_steps
        return ModelCheckpoint(
            folder,
            Path(LAST).stem,
            train_time_interval=timedelta(minutes=1) if steps is None else None,
            every_n_train_steps=steps,
            enable_version_counter=False,
        )


def _best(own: Path, monitor: str) -> ModelCheckpoint:
    """Keeps what is best in validation."""
    name = Path(LEARNED).stem
    return ModelCheckpoint(own, name, monitor=monitor, mode="max", save_weights_only=True, enable_version_counter=False)


@rank_zero_only
def put_logs_aside(own: Path) -> None:
    """Those of a trial that was killed: Lightning would delete them.

    Args:
        own: folder of the trial.
    """
    if (logs := own / "logs").exists():
        logs.rename(own / f"logs_{len(list(own.glob('logs*')))}")
