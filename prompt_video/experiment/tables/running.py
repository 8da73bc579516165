"""The runs of a table, one after the other on this machine, each in a process of its own; what is done stays done."""

import hashlib
import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean

from data_modules.errors import InputError
from prompt_video.experiment.claim import is_claimed
from prompt_video.experiment.settings import read_settings
from prompt_video.experiment.stopping import Stopped
from prompt_video.experiment.tables.plan import Plan, PlannedRow
from prompt_video.io.run_files import TRAINED
from prompt_video.reports.comparison.rows import PASSING
from prompt_video.reports.comparison.runs import LeftOutError, Run, read_run
from prompt_video.reports.text_formatting import clock

log = logging.getLogger(__name__)

LEAVE_SEC = 60.0  # that a stopped run has to write what it has computed
POLL_SEC = 5.0
FOLDER = Path("tables") / "runs"  # of the runs of all tables, which share those of the same settings
# Settings that change no figure; of a method and a scale the model has all, and the seed has a place of its own.
_NO_MATTER = (PASSING | {"config", "method", "scale", "seed"}) - {"root"}


@dataclass(frozen=True)
class PlannedRun:
    """One row with one seed.

    Args:
        row: that it is of.
        experiment: name of its file.
        seed: that it is run with.
        folder: of the run, named after its settings: those of other settings are other runs.
    """

    row: PlannedRow
    experiment: str
    seed: int
    folder: Path

    @property
    def told(self) -> str:
        """Which it is, in words."""
        return f"{self.experiment}, {self.row.name}, seed {self.seed}"

    @cached_property
    def result(self) -> Run | None:
        """What it came to; None while it is not tested. Kept once it is known."""
        try:
            return read_run(self.folder, dry_runs=True)
        except LeftOutError:  # it goes on, or says itself what is wrong with its folder
            return None

    def forget(self) -> None:
        """Look at the folder again when asked for the result."""
        self.__dict__.pop("result", None)


def place(plan: Plan, root: Path) -> list[PlannedRun]:
    """Every run of a table, and where it is to be.

    Args:
        plan: of the table.
        root: folder for run folders.

    Raises:
        InputError: when an option is wrong, before anything runs.
    """
    placed = []
    for row in plan.rows:
        cli = read_settings(list(row.options))
        settings = cli.settings
        if settings["run_folder"] is not None:
            raise InputError("each run of a table has a folder of its own: take --runs in the place of --run_folder.")
        digest = hashlib.sha256(json.dumps(_lasting(settings.as_dict()), sort_keys=True, default=str).encode())
        runs = root / FOLDER / cli.name
        name = f"{row.words}-{digest.hexdigest()[:8]}".lstrip("-")
        known = next(iter(sorted(runs.glob(f"*{digest.hexdigest()[:8]}-seed*"))), None)
        if known is not None:  # of another table, which has another word for it
            name = known.name.rpartition("-seed")[0]
        files = settings.get("config") or []
        experiment = Path(str(files[0])).stem if files else cli.name
        placed += [PlannedRun(row, experiment, seed, runs / f"{name}-seed{seed}") for seed in plan.seeds]
    return placed


def run_all(planned: Sequence[PlannedRun]) -> None:
    """Run what has not been run; one that fails is left behind, and the next one runs.

    What another process is running is waited for, so that the same command on another GPU shares the work.
    """
    durations: list[float] = []
    number = {run.folder: f"run {place} of {len(planned)}: {run.told}" for place, run in enumerate(planned, start=1)}
    for run in planned:
        if run.result is not None:
            log.info("%s: has been run, %s", number[run.folder], run.folder)
    waiting = [run for run in planned if run.result is None]
    while waiting:
        free = [run for run in waiting if not is_claimed(run.folder)]
        if not free:
            time.sleep(POLL_SEC)
            continue
        run = free[0]
        run.forget()
        if run.result is None:
            left = f" (about {clock(mean(durations) * len(waiting))} left)" if durations else ""
            log.info("%s%s", number[run.folder], left)
            started = time.monotonic()
            _run(_command(run))
            durations.append(time.monotonic() - started)
            run.forget()
            if run.result is None and is_claimed(run.folder):  # another process was faster
                continue
            if run.result is None:
                log.warning("%s: FAILED", number[run.folder])
        waiting.remove(run)


def _command(run: PlannedRun) -> list[str]:
    command = [sys.executable, "-m", "prompt_video", "fit", *run.row.options]
    command += [f"--seed_everything={run.seed}", f"--run_folder={run.folder}"]
    return [*command, "--ckpt=last"] if any((run.folder / mark).is_file() for mark in TRAINED) else command


def _lasting(settings: object) -> object:
    """What decides on the figures of a run."""
    if isinstance(settings, Mapping):
        return {key: _lasting(value) for key, value in settings.items() if key not in _NO_MATTER}
    return settings


def _run(command: Sequence[str]) -> None:
    """Run a process to its end, which a signal to this one ends too."""
    process = subprocess.Popen(command)
    try:
        code = process.wait()
    except Stopped:
        process.terminate()
        try:
            process.wait(LEAVE_SEC)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    if code in (128 + signal.SIGINT, 128 + signal.SIGTERM):  # as the command ends when it is stopped
        raise Stopped(code - 128)
