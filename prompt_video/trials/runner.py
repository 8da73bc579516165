"""An experiment of many trials: stack after stack, each trial noted as soon as it is tested, resumable after a kill."""

import csv
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from data_modules.atomic import write_whole
from data_modules.base import VideoDataModule
from data_modules.errors import InputError
from prompt_video.tasks.outcome import combined
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.trials.confidence import confidence
from prompt_video.trials.loading import TrialsData, groups
from prompt_video.trials.stack import TrialStack
from prompt_video.trials.task import TrialsTask

log = logging.getLogger(__name__)

# Trials and texts of a stack: more of either makes a step no faster per trial, and needs more memory.
MOST_TRIALS = {"cpu": 8, "cuda": 64}
MOST_TEXTS = {"cpu": 256, "cuda": 1024}
JOURNAL = "trials.jsonl"


@dataclass(frozen=True)
class TrialResult:
    """One trial, trained and tested."""

    trial: int
    name: str
    seed: int
    metrics: Mapping[str, float]


def run_trials(
    task: RecognitionTask,
    data: VideoDataModule,
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
    journal = folder / JOURNAL
    done = _finished(journal, data) if resume else {}
    if not resume:
        journal.unlink(missing_ok=True)
    wanted = [number for number in range(len(data.trials)) if number not in done]
    for stack_numbers in _stacks(task, data, wanted, at_a_time):
        first, last = data.trials[stack_numbers[0]].name, data.trials[stack_numbers[-1]].name
        log.info("training %d of %d trials at a time: %s to %s", len(stack_numbers), len(data.trials), first, last)
        results = _run_stack(task, data, stack_numbers, folder, make_trainer, resume, save_every_n_steps)
        with journal.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(asdict(result), ensure_ascii=False) + "\n" for result in results))
        done.update({result.trial: result for result in results})
    return [done[number] for number in sorted(done)]


def summarise(results: Sequence[TrialResult]) -> dict[str, Any]:
    """Mean of every figure over the trials, with spread and confidence interval, ready for JSON."""
    keys = [key for key in results[0].metrics if all(key in result.metrics for result in results)]
    figures = {key: confidence([result.metrics[key] for result in results]) for key in keys}
    return {
        "metrics": {key: figure.mean for key, figure in figures.items()},
        "confidence": {
            key: {"mean": figure.mean, "std": figure.std, "ci95": figure.half_width, "trials": figure.num_trials}
            for key, figure in figures.items()
        },
        "trials": [asdict(result) for result in results],
    }


def write_table(results: Sequence[TrialResult], path: Path) -> None:
    """One line a trial, as CSV."""

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["trial", "name", "seed", *results[0].metrics])
            writer.writerows(
                [r.trial, r.name, r.seed, *(r.metrics.get(key) for key in results[0].metrics)] for r in results
            )

    write_whole(path, write)


def _stacks(
    task: RecognitionTask, data: VideoDataModule, wanted: Sequence[int], at_a_time: int | None
) -> list[list[int]]:
    """Which trials are trained together."""
    if not wanted:
        return []
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    texts = max(len(data.trials[number].train.class_names) for number in wanted)
    most = at_a_time or max(1, min(MOST_TRIALS[kind], MOST_TEXTS[kind] // texts))
    sizes = [len(data.dataset("train", training=True, number=number)) if task.has_weights else 1 for number in wanted]
    return [[wanted[place] for place in group] for group in groups(sizes, data.batch_size, most)]


def _run_stack(
    task: RecognitionTask,
    data: VideoDataModule,
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
    names = [trial.name for trial in trials]
    module = TrialsTask(stack, names, seeds, task.optimization, task.text_pull, task.video_pull, task.static_noise)
    videos = TrialsData.of(data, numbers)
    last = folder / "checkpoints" / "last.ckpt"
    trainer = make_trainer([_checkpoints(last, save_every_n_steps)])
    if task.has_weights:
        going_on = resume and last.is_file() and _names_in(last) == names
        trainer.fit(module, datamodule=videos, ckpt_path=str(last) if going_on else None, weights_only=True)
    trainer.test(module, datamodule=videos, verbose=False)
    results = []
    for number, trial, outcomes in zip(numbers, trials, module.outcomes, strict=True):
        figures = {name: outcome.figures() for name, outcome in outcomes.items()}
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
    about = torch.load(checkpoint, map_location="cpu", weights_only=True).get("trials", {})
    names: list[str] = about.get("names", [])
    return names


def _finished(journal: Path, data: VideoDataModule) -> dict[int, TrialResult]:
    """Trials that a killed run had tested; a line that it was writing when it was killed does not count."""
    done: dict[int, TrialResult] = {}
    if not journal.is_file():
        return done
    lines = journal.read_text(encoding="utf-8").split("\n")
    whole = lines[:-1]
    if lines[-1]:
        journal.write_text("".join(line + "\n" for line in whole), encoding="utf-8")
    for line in whole:
        result = TrialResult(**json.loads(line))
        known = result.trial < len(data.trials) and data.trials[result.trial].name == result.name
        if not known or data.seed_of(result.trial) != result.seed:
            raise InputError(f"{journal} is of other trials or of another seed; start anew, without --ckpt_path.")
        done[result.trial] = result
    return done
