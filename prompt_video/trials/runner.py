"""Many trials of few videos: stack after stack, each trial noted as soon as it is tested, resumable after a kill."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from data_modules.errors import InputError
from data_modules.modules.trimmed import TrimmedDataModule
from prompt_video.backbones.precision import device_type
from prompt_video.io.run_files import CHECKPOINTS, LAST
from prompt_video.model.checkpoints import last_checkpoint, read_checkpoint
from prompt_video.tasks.classification_results import combined
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.trials.journal import Journal, TrialResult
from prompt_video.trials.loading import TrialsData, groups
from prompt_video.trials.stack import TrialStack
from prompt_video.trials.task import TrialsTask

log = logging.getLogger(__name__)

# Trials and texts of a stack: more of either makes a step no faster per trial, and needs more memory.
MOST_TRIALS = {"cpu": 8, "cuda": 64}
MOST_TEXTS = {"cpu": 256, "cuda": 1024}


def run_trials(
    task: RecognitionTask,
    data: TrimmedDataModule,
    folder: Path,
    make_trainer: Callable[[list[Callback]], Trainer],
    at_a_time: int | None = None,
    resume: bool = False,
    save_every_n_steps: int | None = None,
) -> list[TrialResult]:
    """Train and test every trial of a protocol.

    Args:
        task: says what is trained and how; its own weights are not used.
        data: with open feature stores.
        folder: of the run. Finished trials are in its ``trials.jsonl``, a stack in training in its checkpoint.
        make_trainer: a trainer of one device for one stack, with these callbacks.
        at_a_time: trials of a stack; None chooses.
        resume: leave out the trials that the folder holds as finished, and go on with the stack in training.
        save_every_n_steps: save a checkpoint so often; None for once a minute.

    Returns:
        The trials in their order.
    """
    if task.classes_per_step is not None:
        raise InputError("model.classes_per_step is for one trial; run the trials one by one with data.trial.")
    journal = Journal(folder, data)
    done = journal.resumed() if resume else journal.started()
    wanted = [number for number in range(len(data.trials)) if number not in done]
    for stack_numbers in _stacks(task, data, wanted, at_a_time):
        first, last = data.trials[stack_numbers[0]].name, data.trials[stack_numbers[-1]].name
        log.info("training %d of %d trials at a time: %s to %s", len(stack_numbers), len(data.trials), first, last)
        results = _run_stack(task, data, stack_numbers, folder, make_trainer, resume, save_every_n_steps)
        journal.note(results)
        done.update({result.trial: result for result in results})
    return [done[number] for number in sorted(done)]


def _stacks(
    task: RecognitionTask, data: TrimmedDataModule, wanted: Sequence[int], at_a_time: int | None
) -> list[list[int]]:
    """Which trials are trained together."""
    if not wanted:
        return []
    kind = device_type("auto")
    texts = max(len(data.trials[number].train.class_names) for number in wanted)
    most = at_a_time or max(1, min(MOST_TRIALS[kind], MOST_TEXTS[kind] // texts))
    sizes = [len(data.dataset("train", training=True, number=number)) if task.has_weights else 1 for number in wanted]
    return [
        [wanted[place] for place in group] for group in groups(sizes, data.batch_size, most, drop_last=data.drop_last)
    ]


def _run_stack(
    task: RecognitionTask,
    data: TrimmedDataModule,
    numbers: list[int],
    folder: Path,
    make_trainer: Callable[[list[Callback]], Trainer],
    resume: bool,
    save_every_n_steps: int | None,
) -> list[TrialResult]:
    trials = [data.trials[number] for number in numbers]
    seeds = [data.seed_of(number) for number in numbers]
    stack = TrialStack(
        task.model.clip,
        seeds,
        task.make_prompt,
        task.make_temporal,
        task.temperature,
        task.learn_temperature,
        task.model.text_chunk,
        task.model.frozen_prompt.templates,
        task.model.frozen_share,
        [trial.train.class_names for trial in trials],
    )
    if task.start_from is not None:
        weights = task.starting_weights()
        for trial_number in range(len(trials)):
            stack.load_learned_state(trial_number, weights)
    names = [trial.name for trial in trials]
    module = TrialsTask(
        stack, names, seeds, task.optimization, task.text_consistency, task.video_consistency, task.feature_noise
    )
    videos = TrialsData.of(data, numbers)
    last = folder / CHECKPOINTS / LAST
    trainer = make_trainer([_checkpoints(last, save_every_n_steps)])
    if task.has_weights:
        kept = last_checkpoint(folder) if resume else None
        ckpt_path = str(kept) if kept and _names_in(kept) == names else None
        trainer.fit(module, datamodule=videos, ckpt_path=ckpt_path, weights_only=True)
    trainer.test(module, datamodule=videos, verbose=False)
    results = []
    for number, trial, outcomes in zip(numbers, trials, module.outcomes, strict=True):
        figures = {name: outcome.compute() for name, outcome in outcomes.items()}
        results.append(TrialResult(number, trial.name, data.seed_of(number), combined(figures, trial.harmonic_means)))
    return results


def _checkpoints(last: Path, every_n_steps: int | None) -> Callback:
    """A stack's weights and their optimizer's take hundreds of MB, and an epoch of a few videos a blink."""
    interval = timedelta(minutes=1) if every_n_steps is None else None
    return ModelCheckpoint(
        last.parent,
        last.stem,
        train_time_interval=interval,
        every_n_train_steps=every_n_steps,
        enable_version_counter=False,
    )


def _names_in(checkpoint: Path) -> list[str]:
    """The trials that a checkpoint is of; none if it is of something else."""
    names: list[str] = read_checkpoint(checkpoint).get("trials", {}).get("names", [])
    return names
