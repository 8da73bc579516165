"""A file that describes a table: groups of rows of one experiment and method, with settings of their own.

A group whose ``experiment`` or ``method`` is a list stands for a row of each; what a group leaves out is taken from the
top of the file. Without a method a row is the experiment as its own file has it.
"""

import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from data_modules.errors import InputError
from prompt_video.experiment.packaged import file_of, headline
from prompt_video.experiment.tables.plan import Plan, PlannedRow, checked_seeds, options_of, told
from prompt_video.io.bounded_yaml import read_mapping
from prompt_video.io.suggest import nearest
from prompt_video.reports.titles import method_title

TOP = ("experiment", "method", "seeds", "columns", "rows")
GROUP = ("experiment", "method", "settings", "name")
OWN_METHOD = "its own method"


def read_table(file: Path) -> Plan:
    """Read a table.

    Args:
        file: the YAML, or the name of a packaged one.

    Raises:
        InputError: when it is none, or describes none.
    """
    path = file_of("table", str(file))
    found = read_mapping(path)
    _check_keys(path, found, TOP)
    groups = found.get("rows")
    if not isinstance(groups, list) or not groups:
        raise InputError(f"{path} is no table: it has no `rows`, a list such as [{{experiment: demo_closed}}].")
    above = {key: found[key] for key in ("experiment", "method") if key in found}
    rows = [row for group in groups for row in _rows(path, group, above)]
    if twice := {row.name for row in rows if sum(_is_same(row, other) for other in rows) > 1}:
        raise InputError(f"{path}: two rows are called '{min(twice)}': give them different names.")
    seeds = checked_seeds(found.get("seeds", [0]), f"{path}, seeds")
    columns = _texts(path, "columns", found.get("columns", []))
    return Plan(path.stem, headline(path) or path.stem, rows, seeds, figures=columns)


def _rows(path: Path, group: object, above: Mapping[str, Any]) -> list[PlannedRow]:
    """The rows of one group: of each experiment and method."""
    if not isinstance(group, dict):
        raise InputError(f"{path}: a row needs an experiment, such as {{experiment: demo_closed}}, not {group!r}.")
    _check_keys(path, group, GROUP)
    said = {**above, **group}
    experiments = _texts(path, "experiment", said.get("experiment", []))
    if not experiments:
        raise InputError(f"{path}: one of the rows names no experiment, and neither does the top of the file.")
    methods: list[str | None] = [*_texts(path, "method", said["method"])] if "method" in said else [None]
    settings = said.get("settings", {})
    if not isinstance(settings, dict) or not all(isinstance(name, str) for name in settings):
        raise InputError(f"{path}: settings are options by name, such as {{model.temporal.num_layers: 1}}.")
    values = {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in settings.items()}
    name = said.get("name")
    return [
        PlannedRow(str(name or _name(method, values)), [*_chosen(experiment, method), *options_of(values)], values)
        for experiment, method in product(experiments, methods)
    ]


def _chosen(experiment: str, method: str | None) -> list[str]:
    return [f"--config={file_of('experiment', experiment)}", *([f"--method={method}"] if method else [])]


def _name(method: str | None, values: Mapping[str, Any]) -> str:
    return ", ".join([method_title(method) if method else OWN_METHOD, *([told(values)] if values else [])])


def _is_same(row: PlannedRow, other: PlannedRow) -> bool:
    return (row.name, row.options[0]) == (other.name, other.options[0])


def _check_keys(path: Path, said: Mapping[Any, Any], known: tuple[str, ...]) -> None:
    if (unknown := next((key for key in said if key not in known), None)) is not None:
        raise InputError(f"{path}: there is no '{unknown}' in a table{nearest(str(unknown), known)}")


def _texts(path: Path, key: str, said: object) -> list[str]:
    listed = said if isinstance(said, list) else [said]
    texts = [text for text in listed if isinstance(text, str) and text]
    if len(texts) < len(listed):
        raise InputError(f"{path}: `{key}` must be a name or a list of them, not {said!r}.")
    return texts
