"""Trials that are each as large as an experiment of their own: trained one after another, resumable after a kill."""

import logging
from collections.abc import Callable
from pathlib import Path

from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only

from data_modules.modules.base import VideoDataModule
from prompt_video.io.run_files import CHECKPOINTS, LAST
from prompt_video.model.checkpoints import last_checkpoint, read_checkpoint
from prompt_video.tasks.base import VideoTextTask
from prompt_video.trials.journal import Journal, TrialResult

log = logging.getLogger(__name__)

TRIALS = "trials"  # folder, in that of the run
LEARNED = "learned.ckpt"


def run_one_by_one(
    make_task: Callable[[], VideoTextTask],
    data: VideoDataModule,
    folder: Path,
    make_trainer: Callable[[list[Callback], Path], Trainer],
    resume: bool = False,
    save_every_n_steps: int | None = None,
    monitor: str | None = None,
) -> list[TrialResult]:
    """Train and test every trial of a protocol, each with a model of its own: the best one in validation, if any.

    Args:
        make_task: a new task, with weights drawn by the seed that is set.
        data: with open feature stores.
        folder: of the run. Finished trials are in its ``trials.jsonl``, and what a trial leaves behind, its learned
            weights too, in ``trials/<number>``; the one in training is in the run's checkpoint.
        make_trainer: a trainer for one trial, with these callbacks and this folder for its logs.
        resume: leave out the trials that the folder holds as finished, and go on with the one in training.
        save_every_n_steps: save a checkpoint so often, besides after each epoch.
        monitor: metric that the best weights are best in; None: the task's own.

    Returns:
        The trials in their order.
    """
    journal = Journal(folder, data)
    done = journal.resumed() if resume else journal.started()
    last = folder / CHECKPOINTS / LAST
    kept = last_checkpoint(folder) if resume else None
    in_training = _trial_in(kept) if kept else None
    for number, trial in enumerate(data.trials):
        if number in done:
            continue
        log.info("trial %d of %d: %s", number + 1, len(data.trials), trial.name)
        seed = data.seed_of(number)
        seed_everything(seed, verbose=False)
        task, alone = make_task(), data.alone(number)
        own = folder / TRIALS / f"{number:03d}"
        _keep_logs(own)
        best = _best(own, monitor or task.monitor) if trial.val is not None else None
        trainer = make_trainer([*([best] if best else []), *_checkpoints(last, save_every_n_steps)], own)
        if task.has_weights:
            ckpt_path = str(kept) if in_training == trial.name else None
            trainer.fit(task, datamodule=alone, ckpt_path=ckpt_path, weights_only=True)
            if best and best.best_model_path:
                task.load_checkpoint(Path(best.best_model_path))
            else:
                trainer.save_checkpoint(own / LEARNED, weights_only=True)
        trainer.test(task, datamodule=alone, verbose=False)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("test/")}
        result = TrialResult(number, trial.name, seed, metrics)
        if trainer.is_global_zero:
            journal.note([result])
        trainer.strategy.barrier("trial")
        done[number] = result
    return [done[number] for number in sorted(done)]


@rank_zero_only
def _keep_logs(own: Path) -> None:
    """Put the logs of a trial that was killed aside: Lightning would delete them."""
    if (logs := own / "logs").exists():
        logs.rename(own / f"logs_{len(list(own.glob('logs*')))}")


def _best(own: Path, monitor: str) -> ModelCheckpoint:
    """Keeps what is best in validation."""
    name = Path(LEARNED).stem
    return ModelCheckpoint(own, name, monitor=monitor, mode="max", save_weights_only=True, enable_version_counter=False)


def _checkpoints(last: Path, every_n_steps: int | None) -> list[Callback]:
    callbacks: list[Callback] = [
        ModelCheckpoint(last.parent, last.stem, save_on_train_epoch_end=True, enable_version_counter=False)
    ]
    if every_n_steps is not None:
        within = ModelCheckpoint(
            last.parent, last.stem, every_n_train_steps=every_n_steps, enable_version_counter=False
        )
        callbacks.append(within)
    return callbacks


def _trial_in(checkpoint: Path) -> str | None:
    """The trial that a checkpoint is of."""
    name: str | None = read_checkpoint(checkpoint).get("prompt_video", {}).get("trial")
    return name
