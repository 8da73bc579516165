"""Runs of the demo: experiments at its size, two at a time in processes of their own."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompt_video.demo.sizes import OPTIONS, Size
from prompt_video.experiment.cli import ExperimentCLI
from prompt_video.experiment.cli import main as run_experiment
from prompt_video.io.processes import StartMethod, worker_processes

PROCESSES = 2  # models as small as the demo's gain more from a second run beside them than from a second thread


@dataclass(frozen=True)
class Run:
    """One run of the demo.

    Args:
        experiment: name of its file.
        method: key of the method, which is also that of its options in `prompt_video.demo.sizes`.
        seed: of the run.
        size: of the demo.
        folder: of the run.
    """

    experiment: str
    method: str
    seed: int
    size: Size
    folder: Path

    def train_and_test(self, *options: str) -> ExperimentCLI:
        """Run the experiment in this process.

        Args:
            options: more of them, as typed.
        """
        return run_experiment(
            [
                "fit",
                f"--config={self.experiment}",
                *options,
                f"--seed_everything={self.seed}",
                f"--run_folder={self.folder}",
                "--wandb=disabled",
                "--quiet=true",
                "--data.num_workers=0",  # the demo's processes fill the cores already
                *OPTIONS[self.size][self.method],
            ]
        )


@dataclass(frozen=True)
class Stage:
    """A run, and when its turn comes.

    Args:
        run: what is run.
        main: runs it; gives what can be handed from process to process.
        needs: runs that must be finished before: those that render its videos, or train what it starts from.
        seconds: that it takes on a machine like another, to estimate the rest from.
    """

    run: Run
    main: Callable[[Run], Any]
    needs: frozenset[Run]
    seconds: float


def finished(stages: Sequence[Stage], tick: Callable[[float], None]) -> Iterator[tuple[Stage, Any, float]]:
    """Run all stages, the first ones first as far as what they need allows.

    Args:
        stages: all of them.
        tick: is told several times a second how much of ``seconds`` is done.

    Yields:
        Each stage as it ends, what its ``main`` returned, and the seconds that it took.

    Raises:
        InputError: when the system ends one of the processes.
    """
    count = min(PROCESSES, os.cpu_count() or 1)
    threads = max(1, (os.cpu_count() or 1) // count)
    # Before this process has computed anything, a copy is safe for several threads too.
    method: StartMethod = "fork" if sys.platform == "linux" else "spawn"
    killed = "the system ended a process of the demo, most likely for want of memory."
    waiting, running, done = list(stages), dict[Future[Any], tuple[Stage, float]](), set[Run]()
    with worker_processes(count, threads, method, if_killed=killed) as pool:
        while waiting or running:
            for stage in [stage for stage in waiting if stage.needs <= done][: count - len(running)]:
                running[pool.submit(stage.main, stage.run)] = stage, time.monotonic()
                waiting.remove(stage)
            ended, _ = wait(running, timeout=0.25, return_when=FIRST_COMPLETED)
            for future in ended:
                stage, since = running.pop(future)
                done.add(stage.run)
                yield stage, future.result(), time.monotonic() - since
            tick(_progress(stages, done, running.values()))


def _progress(stages: Sequence[Stage], done: set[Run], running: Iterable[tuple[Stage, float]]) -> float:
    """Seconds of all stages that are done, those in work counted by the time that they have run."""
    now = time.monotonic()
    behind = sum(stage.seconds for stage in stages if stage.run in done)
    return behind + sum(min(now - since, 0.95 * stage.seconds) for stage, since in running)
