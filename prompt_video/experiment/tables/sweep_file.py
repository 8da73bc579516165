"""A sweep file of wandb as a list of points, each with the options that `wandb agent` would give it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from data_modules.errors import InputError
from prompt_video.experiment.packaged import file_of
from prompt_video.io.bounded_yaml import safe_load


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Args:
        values: of the options, by name.
    """

    values: Mapping[str, Any]

    @property
    def options(self) -> list[str]:
        """As typed after ``prompt-video fit``; word for word what ``${args}`` stands for in a sweep file."""
        return [f"--{name}={value}" for name, value in self.values.items()]

    @property
    def name(self) -> str:
        """For people and for folders: ``num_layers_2``."""
        told = "_".join(f"{name.rpartition('.')[2]}_{value}" for name, value in self.values.items())
        return re.sub(r"[^\w.-]+", "_", told).replace("init_args_", "").strip("_")[:100]


@dataclass(frozen=True)
class Sweep:
    """A grid of options.

    Args:
        name: of the file.
        metric: that tells how good a run is; None where the file names none.
        points: all of the grid, in the order in which wandb would run them.
    """

    name: str
    metric: str | None
    points: tuple[Point, ...]


def read_sweep(file: Path) -> Sweep:
    """Read a sweep file.

    Args:
        file: the YAML, or the name of a packaged one.

    Raises:
        InputError: when it is none, or asks for something other than a grid of values.
    """
    path = file_of("sweep", str(file))
    try:
        found = safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    parameters = found.get("parameters") if isinstance(found, dict) else None
    if not isinstance(parameters, dict) or not parameters:
        raise InputError(f"{path} is no sweep file: it has no `parameters`.")
    if found.get("method") != "grid":
        raise InputError(
            f"{path} has the method '{found.get('method')}': on this machine only `grid` can be run; all others need "
            f"an account: `wandb sweep {path}`, then `wandb agent`."
        )
    values = [_values(path, name, said) for name, said in parameters.items()]
    points = tuple(Point(dict(zip(parameters, chosen, strict=True))) for chosen in product(*values))
    metric = found.get("metric")
    return Sweep(path.stem, metric.get("name") if isinstance(metric, dict) else None, points)


def _values(path: Path, name: str, said: Any) -> list[Any]:  # noqa: ANN401 - what the file says
    if not isinstance(name, str):
        raise InputError(
            f"{path}: the parameter {name!r} must be the name of an option, such as model.temporal.dropout."
        )
    if isinstance(said, dict) and isinstance(said.get("values"), list) and said["values"]:
        return list(said["values"])
    if isinstance(said, dict) and "value" in said:
        return [said["value"]]
    raise InputError(f"{path}: the parameter '{name}' needs `values`, a list, or one `value`.")
