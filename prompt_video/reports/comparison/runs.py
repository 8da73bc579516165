"""The runs that a report tells of, as their folders have them."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from data_modules.errors import InputError
from prompt_video.io.bounded_yaml import safe_load
from prompt_video.io.run_files import CONFIG, FAILED, NO_CHECKPOINT, run_of
from prompt_video.reports.comparison.kinds import ENVIRONMENT, NUMBER, RESULTS, misfit

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)_(\d\d)(\d\d)(\d\d)")  # in the names of run folders
DRY_RUN_MARKS = ("DRY RUN", "REHEARSAL")  # the second one until 0.1; in the protocol of results.json


@dataclass(frozen=True)
class Run:
    """One run.

    Args:
        folder: of the run.
        experiment: name of the experiment's YAML.
        method: name of the method's YAML; "own settings" where a model is described without one.
        results: of ``results.json``.
        config: the resolved settings.
        environment: of ``environment.json``; empty where it is missing.
        tested: the checkpoint, where the figures are of a test of one by itself; None where those of a training.
    """

    folder: Path
    experiment: str
    method: str
    results: Mapping[str, Any]
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    tested: str | None = None

    @cached_property
    def metrics(self) -> Mapping[str, float]:
        """Of training, validation and tests; shares, not per cent."""
        return {name: float(value) for name, value in self.results["metrics"].items()}  # ranks may be whole

    @property
    def seed(self) -> int | None:
        """That the run was started with; None where its results do not say."""
        return self.results.get("seed")

    @property
    def command(self) -> Sequence[str]:
        """The words of the command that started the run; empty where they were not recorded."""
        command: Sequence[str] = self.environment.get("command", [])
        return command

    @property
    def started(self) -> str:
        """When it was begun, by the clock of its machine: ``2026-01-31 18:05:09``; empty where nothing tells."""
        stamp = _STAMP.search(self.folder.name)
        recorded = str(self.environment.get("started", ""))[:19].replace("T", " ")
        return recorded or (f"{stamp[1]} {stamp[2]}:{stamp[3]}:{stamp[4]}" if stamp else "")

    @property
    def is_tested(self) -> bool:
        """It holds figures of a test."""
        return any(name.startswith("test/") for name in self.metrics)


def collect(folders: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """All runs in some folders, oldest first, and a line for each results file that was left out.

    Args:
        folders: of runs, or folders that hold some at any depth.

    Raises:
        InputError: if a folder is missing, or none holds a run with figures of a test.
    """
    runs: dict[Path, Run] = {}
    left_out: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder: name a run's folder, or one that holds some.")
        for path in sorted(folder.rglob("results.json")):
            if path.parent.resolve() in runs:
                continue
            try:
                run = read_run(path.parent)
            except LeftOutError as reason:
                left_out.append(f"{path.parent}: {reason}")
            else:
                runs[path.parent.resolve()] = run
        failed = (path.parent for path in sorted(folder.rglob(FAILED)) if not (path.parent / "results.json").is_file())
        left_out += [f"{run_folder}: {_why_failed(run_folder)}" for run_folder in failed]
    if not runs:
        reasons = "; ".join(left_out) or "there is no results.json in it"
        raise InputError(f"no run to report in {', '.join(map(str, folders))}: {reasons}.")
    return sorted(runs.values(), key=lambda run: (run.started, run.folder.name)), left_out


def _why_failed(folder: Path) -> str:
    said = (folder / FAILED).read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    return f"it has failed: {said}"


class LeftOutError(Exception):
    """Why a folder is not in the report."""


def read_run(
    folder: Path, *, dry_runs: bool = False, untested: bool = False, results: Mapping[str, Any] | None = None
) -> Run:
    """The run in a folder.

    Args:
        folder: of the run.
        dry_runs: take those too, whose figures are no results.
        untested: take one that tests nothing, too.
        results: of a run that has none yet.

    Raises:
        LeftOutError: when there is none that was tested, or its files cannot be read.
    """
    results = _mapping(folder / "results.json") if results is None else results
    if "protocol" not in results or not isinstance(results.get("metrics"), dict):
        raise LeftOutError("its results.json is not of a run")
    if not dry_runs and any(mark in str(results["protocol"]) for mark in DRY_RUN_MARKS):
        raise LeftOutError("a dry run, whose figures are no results")
    if not all(isinstance(value, int | float) for value in results["metrics"].values()):
        raise LeftOutError("its results.json holds metrics that are no numbers")
    if wrong := next((name for name, value in results["metrics"].items() if misfit(value, NUMBER, name)), None):
        raise LeftOutError(f"its {wrong} is not finite")
    if wrong := misfit(results, RESULTS):
        raise LeftOutError(f"its results.json holds something else than it should in {wrong}")
    config = _mapping(folder / CONFIG)
    environment = _mapping(folder / "environment.json") if (folder / "environment.json").exists() else {}
    if wrong := misfit(environment, ENVIRONMENT):
        raise LeftOutError(f"its environment.json holds something else than it should in {wrong}")
    command = environment.get("command", [])
    options = _options(command)
    experiment = _experiment(options) or _tested_experiment(results) or folder.absolute().parent.name
    method = Path(str(config.get("method") or "own settings")).stem
    run = Run(folder, experiment, method, results, config, environment, _tested(results, command, options))
    if not run.is_tested and not untested:
        raise LeftOutError(_why_failed(folder) if (folder / FAILED).is_file() else "it has no figures of a test")
    return run


def _experiment(options: Mapping[str, str]) -> str | None:
    return Path(options["config"]).stem if "config" in options else None


def _tested_experiment(results: Mapping[str, Any]) -> str | None:
    """That of the run whose checkpoint was tested, as far as its folder is where it was."""
    run = run_of(Path(tested)) if (tested := results.get("tested")) else None
    with suppress(LeftOutError):
        environment = _mapping(run / "environment.json") if run else {}
        return None if misfit(environment, ENVIRONMENT) else _experiment(_options(environment.get("command", [])))
    return None


def _tested(results: Mapping[str, Any], command: Sequence[Any], options: Mapping[str, str]) -> str | None:
    """The checkpoint that was tested by itself; before results named it, the command did."""
    if "tested" in results or "test" not in command[1:2]:
        return results.get("tested")
    return options.get("ckpt_path", NO_CHECKPOINT)


def _options(command: Sequence[str]) -> dict[str, str]:
    """The first value of each ``--name=value`` or ``--name value``."""
    options: dict[str, str] = {}
    for word, following in zip(command, [*command, ""][1:], strict=True):
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            options.setdefault(name, value if equals else following)
    return options


def _mapping(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else "damaged"
        raise LeftOutError(f"its {path.name} cannot be read ({reason})") from error
    if not isinstance(content, dict):
        raise LeftOutError(f"its {path.name} is damaged")
    return content
