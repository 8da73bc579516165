"""A sweep file of wandb as a table: a row for each point of its grid, with the options that its agent would give it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from data_modules.errors import InputError
from prompt_video.experiment.packaged import file_of, headline
from prompt_video.experiment.tables.plan import Plan, PlannedRow, checked_seeds, options_of, told
from prompt_video.io.bounded_yaml import read_mapping

SEED = "seed_everything"


@dataclass(frozen=True)
class Sweep:
    """A grid of options.

    Args:
        name: of the file.
        title: what it says of itself.
        metric: that tells how good a run is; None where the file names none.
        points: all of the grid, in the order in which wandb would run them.
    """

    name: str
    title: str
    metric: str | None
    points: tuple[dict[str, Any], ...]

    def plan(self, experiment: str, options: Sequence[str], seeds: Sequence[int], monitor: str) -> Plan:
        """The sweep as a table.

        Args:
            experiment: name of what is swept.
            options: of it, as typed after ``prompt-video fit``.
            seeds: of each point, unless the sweep is over seeds itself.
            monitor: figure of a test to draw, where the file names none.
        """
        rows: dict[str, PlannedRow] = {}
        own_seeds = [point[SEED] for point in self.points if SEED in point]
        for point in self.points:
            values = {name: value for name, value in point.items() if name != SEED}
            rows.setdefault(
                str(values), PlannedRow(told(values) or experiment, [*options, *options_of(values)], values)
            )
        if own_seeds:
            seeds = checked_seeds(list(dict.fromkeys(own_seeds)), self.name)
        name, charted = f"{experiment}_{self.name}", [*([self.metric] if self.metric else []), monitor]
        return Plan(name, f"{experiment}: {self.title or self.name}", list(rows.values()), seeds, charted=charted)


def read_sweep(file: Path) -> Sweep:
    """Read a sweep file.

    Args:
        file: the YAML, or the name of a packaged one.

    Raises:
        InputError: when it is none, or asks for something other than a grid of values.
    """
    path = file_of("sweep", str(file))
    found = read_mapping(path)
    parameters = found.get("parameters")
    if not isinstance(parameters, dict) or not parameters:
        raise InputError(f"{path} is no sweep file: it has no `parameters`.")
    if found.get("method") != "grid":
        raise InputError(
            f"{path} has the method '{found.get('method')}': on this machine only `grid` can be run; all others need "
            f"an account: `wandb sweep {path}`, then `wandb agent`."
        )
    values = [_values(path, name, said) for name, said in parameters.items()]
    points = tuple(dict(zip(parameters, chosen, strict=True)) for chosen in product(*values))
    metric = found.get("metric")
    return Sweep(path.stem, headline(path), metric.get("name") if isinstance(metric, dict) else None, points)


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
