"""The runs that a report tells of, as their folders have them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from data_modules.errors import InputError
from prompt_video.io.bounded_yaml import safe_load
from prompt_video.io.run_files import CONFIG, NO_CHECKPOINT
from prompt_video.reports.comparison.kinds import ENVIRONMENT, NUMBER, RESULTS, misfit

DRY_RUN_MARKS = ("DRY RUN", "REHEARSAL")  # the second one until 0.1; in the protocol of results.json


@dataclass(frozen=True)
class Run:
    """One run.

    Args:
        folder: of the run.
        experiment: name of the experiment's YAML.
        method: name of the method's YAML, or what the settings amount to.
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

    @property
    def metrics(self) -> Mapping[str, float]:
        """Of training, validation and tests; shares, not per cent."""
        metrics: Mapping[str, float] = self.results["metrics"]
        return metrics

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
                run = _read(path.parent)
            except _LeftOutError as reason:
                left_out.append(f"{path.parent}: {reason}")
            else:
                runs[path.parent.resolve()] = run
    if not runs:
        reasons = "; ".join(left_out) or "there is no results.json in it"
        raise InputError(f"no run to report in {', '.join(map(str, folders))}: {reasons}.")
    return sorted(runs.values(), key=lambda run: run.folder.name), left_out


class _LeftOutError(Exception):
    """Why a folder is not in the report."""


def _read(folder: Path) -> Run:
    results = _mapping(folder / "results.json")
    if "protocol" not in results or not isinstance(results.get("metrics"), dict):
        raise _LeftOutError("its results.json is not of a run")
    if any(mark in str(results["protocol"]) for mark in DRY_RUN_MARKS):
        raise _LeftOutError("a dry run, whose figures are no results")
    if not all(isinstance(value, int | float) for value in results["metrics"].values()):
        raise _LeftOutError("its results.json holds metrics that are no numbers")
    if wrong := next((name for name, value in results["metrics"].items() if misfit(value, NUMBER, name)), None):
        raise _LeftOutError(f"its {wrong} is not finite")
    if wrong := misfit(results, RESULTS):
        raise _LeftOutError(f"its results.json holds something else than it should in {wrong}")
    config = _mapping(folder / CONFIG)
    environment = _mapping(folder / "environment.json") if (folder / "environment.json").exists() else {}
    if wrong := misfit(environment, ENVIRONMENT):
        raise _LeftOutError(f"its environment.json holds something else than it should in {wrong}")
    command = environment.get("command", [])
    options = _options(command)
    experiment = Path(options["config"]).stem if "config" in options else folder.absolute().parent.name
    model = options.get("method", options.get("model", ""))  # before methods had names, their files were typed
    typed = "method" in options or model.endswith((".yaml", ".yml"))
    method = Path(model).stem if typed else method_of(config)
    run = Run(folder, experiment, method, results, config, environment, _tested(results, command, options))
    if not run.is_tested:
        raise _LeftOutError("it has no figures of a test")
    return run


def method_of(config: Mapping[str, Any]) -> str:
    """The name of the method that some settings amount to; "own settings" for what has none."""
    try:
        settings = config["model"]["init_args"]
        prompt = settings["prompt"]["class_path"].rpartition(".")[2]
        layers = (settings.get("temporal") or {}).get("init_args", {}).get("num_layers", 0)
        if prompt == "LinearProbe":
            return "linear_probe"
        if prompt == "TemplatePrompt" and not layers:
            templates = (settings["prompt"].get("init_args") or {}).get("templates")
            return "frozen_clip" if templates in ("names", ["{}"]) else "frozen_templates"
        if prompt == "TemplatePrompt":
            return "temporal"
        if not layers:
            return "prompts"
        if any(settings.get(guard) for guard in ("text_consistency", "video_consistency", "feature_noise")):
            return "regularized"
        if settings.get("decayed") == "all":
            return "as_released"
        return "prompts_temporal_inside" if settings.get("frames_inside") else "prompts_temporal"
    except (KeyError, TypeError, AttributeError):
        return "own settings"


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
        raise _LeftOutError(f"its {path.name} cannot be read ({reason})") from error
    if not isinstance(content, dict):
        raise _LeftOutError(f"its {path.name} is damaged")
    return content
