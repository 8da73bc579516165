"""All trials of an experiment, one after another, or small ones side by side, each in the journal once it is tested."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from typing import Literal

import torch

from data_modules.modules.base import VideoDataModule
from prompt_video.io.processes import start_method, worker_processes
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.trials.journal import Journal, TrialResult
from prompt_video.trials.one_trial import TrialTraining

log = logging.getLogger(__name__)

Device = Literal["cuda", "cpu"]
MOST_TEXTS = {"cpu": 256, "cuda": 1024}  # of the trials in training together: their inner values take the memory
MOST_ON_A_GPU = 4  # processes: each needs some GB, and beyond a few the GPU is busy
LINES = 20  # that say how far the trials are


def at_a_time(task: VideoTextTask, data: VideoDataModule, device: Device) -> int:
    """How many trials gain by being trained side by side, in processes of their own.

    The small products of a trial of few videos gain nothing from a second thread: it gets one core. Trials of other
    tasks, and those on frames, are as large as experiments, and have the machine for themselves.

    Args:
        task: that is trained.
        data: whose trials they are.
        device: that is computed on.
    """
    if not isinstance(task, RecognitionTask) or data.features == "off":
        return 1
    cores = torch.get_num_threads()
    texts = max(len(trial.train.class_names) for trial in data.trials)
    return max(1, min(cores if device == "cpu" else MOST_ON_A_GPU, cores, MOST_TEXTS[device] // max(texts, 1)))


def run_trials(
    training: TrialTraining,
    count: int = 1,
    *,
    resume: bool = False,
    device: Device = "cpu",
    reopen: Callable[[], TrialTraining] | None = None,
) -> list[TrialResult]:
    """Train and test every trial of a protocol.

    Args:
        training: of the trials; finished ones are in ``trials.jsonl`` of its folder.
        count: trials that are trained at the same time, each in a process of its own if it is more than one.
        resume: leave out the trials that the folder holds as finished, and go on with those in training.
        device: that is computed on.
        reopen: makes the same as ``training`` in a process that has no copy of it; must be picklable.

    Returns:
        The trials in their order.
    """
    journal = Journal(training.folder, training.data)
    done = journal.resume() if resume else journal.start()
    wanted = [number for number in range(len(training.data.trials)) if number not in done]
    count = min(count, len(wanted))
    if count > 1:
        new = _side_by_side(training, wanted, count, resume, device, reopen)
    else:
        new = _one_by_one(training, wanted, resume)
    for result in new:
        journal.add(result)
        done[result.trial] = result
    return [done[number] for number in sorted(done)]


def _one_by_one(training: TrialTraining, wanted: Sequence[int], resume: bool) -> Iterator[TrialResult]:
    trials = training.data.trials
    for number in wanted:
        log.info("trial %d of %d: %s", number + 1, len(trials), trials[number].name)
        yield training.run(number, resume=resume)


def _side_by_side(
    training: TrialTraining,
    wanted: Sequence[int],
    count: int,
    resume: bool,
    device: Device,
    reopen: Callable[[], TrialTraining] | None,
) -> Iterator[TrialResult]:
    threads = max(1, torch.get_num_threads() // count)
    method = start_method(threads, device)
    log.info("training %d of %d trials at a time, each in a process of its own", count, len(training.data.trials))
    if_killed = (
        "the system ended a process that trains trials, most likely for want of memory: fewer --trials_at_a_time need "
        f"less. The same command with --run_folder {training.folder} --ckpt last goes on where it was."
    )
    opened = (lambda: training) if method == "fork" or reopen is None else reopen
    with worker_processes(count, threads, method, _open, (opened,), if_killed=if_killed) as pool:
        started = time.monotonic()
        futures = [pool.submit(_run, number, resume) for number in wanted]
        for number, future in enumerate(as_completed(futures), start=1):
            yield future.result()
            _say(number, len(wanted), time.monotonic() - started)


def _say(done: int, total: int, seconds: float) -> None:
    if done * LINES // total > (done - 1) * LINES // total and done < total:
        minutes = seconds / done * (total - done) / 60
        log.info("%d of %d trials are done, about %.0f min left", done, total, minutes)


_training: TrialTraining | None = None  # of a process that trains trials for another


def _open(make: Callable[[], TrialTraining]) -> None:
    global _training
    _training = make()


def _run(number: int, resume: bool) -> TrialResult:
    assert _training is not None
    return _training.run(number, resume=resume)
