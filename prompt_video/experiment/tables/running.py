"""The points of a sweep, one after the other on this machine, each in a process of its own."""

import hashlib
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_modules.errors import InputError
from prompt_video.experiment.settings import read_settings
from prompt_video.experiment.stopping import Stopped
from prompt_video.experiment.tables.sweep_file import Point, Sweep
from prompt_video.io.run_files import TRAINED

log = logging.getLogger(__name__)

LEAVE_SEC = 60.0  # that a stopped run has to write what it has computed
# Settings that change no figure; of a method, a scale and a backbone the model has all.
_NO_MATTER = ("config", "method", "scale", "backbone", "name", "runs", "run_folder", "quiet", "wandb")


@dataclass(frozen=True)
class Outcome:
    """What came of one point.

    Args:
        point: of the sweep.
        folder: of its run.
        metrics: of its test; none if it failed.
    """

    point: Point
    folder: Path
    metrics: dict[str, float]

    @property
    def is_done(self) -> bool:
        """It was tested."""
        return any(name.startswith("test/") for name in self.metrics)


def place(sweep: Sweep, options: Sequence[str], folder: Path | None = None) -> list[tuple[Point, Path]]:
    """The run folder of every point, named also after its settings: those of other settings are other runs.

    Args:
        sweep: what to run.
        options: of the experiment, as typed after ``prompt-video fit``.
        folder: for the run folders; None for one named after experiment and sweep.

    Raises:
        InputError: when an option is wrong, before anything runs.
    """
    placed = []
    for point in sweep.points:
        cli = read_settings([*options, *point.options])
        settings = cli.settings.clone()
        for name in _NO_MATTER:
            settings.pop(name, None)
        digest = hashlib.sha256(cli.verb_parser.dump(settings, skip_validation=True).encode()).hexdigest()
        place = folder or cli.runs / "sweeps" / f"{cli.name}_{sweep.name}"
        placed.append((point, place / f"{point.name}-{digest[:8]}"))
    return placed


def run_points(placed: Sequence[tuple[Point, Path]], options: Sequence[str]) -> list[Outcome]:
    """Run what has not been run; a point that fails is left behind, and the next one runs.

    Args:
        placed: points and their run folders.
        options: of the experiment, as typed after ``prompt-video fit``.
    """
    outcomes = []
    for number, (point, folder) in enumerate(placed, start=1):
        outcome = _outcome(point, folder)
        told = f"point {number} of {len(placed)}, {point.name}"
        if outcome.is_done:
            log.info("%s: has been run, %s", told, folder)
        else:
            log.info("%s", told)
            command = [sys.executable, "-m", "prompt_video", "fit", *options, *point.options, f"--run_folder={folder}"]
            if any((folder / mark).is_file() for mark in TRAINED):
                command.append("--ckpt=last")
            _run(command)
            outcome = _outcome(point, folder)
            if not outcome.is_done:
                log.warning("%s: FAILED", told)
        outcomes.append(outcome)
    return outcomes


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


def _outcome(point: Point, folder: Path) -> Outcome:
    path = folder / "results.json"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"] if path.is_file() else {}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged; remove the folder to run that point again.") from error
    return Outcome(point, folder, metrics)
