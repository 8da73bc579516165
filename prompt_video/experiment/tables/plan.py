"""What a table is made of, before anything of it has run: rows, each with the options of its runs, and seeds."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data_modules.errors import InputError
from prompt_video.experiment.option_names import MOST_SEED
from prompt_video.reports.titles import setting_title, short_name

MOST_LETTERS = 100  # of a row's words in the name of a folder


@dataclass(frozen=True)
class PlannedRow:
    """One row: an experiment with some settings.

    Args:
        name: in the table.
        options: as typed after ``prompt-video fit``, but for the seed.
        values: of the settings that set it apart, by option.
    """

    name: str
    options: Sequence[str]
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Its values, for the name of a folder: ``num_layers_2``."""
        return re.sub(r"[^\w.-]+", "_", told(self.values, short_name)).strip("_")[:MOST_LETTERS]


@dataclass(frozen=True)
class Plan:
    """A table.

    Args:
        name: of the table, and of the folder that it is written to.
        title: what it shows, one sentence.
        rows: in the order in which they are run.
        seeds: that each row is run with.
        command: that was typed for it.
        figures: its columns, as the metrics of runs are called; empty: what reports show of such runs.
        charted: of a sweep, whose rows are one experiment with other settings each: the first of these figures that
            its runs have is drawn against the setting; of none, the first that they have.
    """

    name: str
    title: str
    rows: Sequence[PlannedRow]
    seeds: Sequence[int]
    command: str = ""
    figures: Sequence[str] = ()
    charted: Sequence[str] = ()


def told(values: Mapping[str, Any], called: Callable[[str], str] = setting_title) -> str:
    """Settings in words: ``temporal layers 2``; several that one option sets at once one by one."""
    parts = []
    for name, value in values.items():
        try:
            inner = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            inner = value
        parts += [f"{called(key)} {one}" for key, one in (inner if isinstance(inner, dict) else {name: value}).items()]
    return ", ".join(parts)


def options_of(values: Mapping[str, Any]) -> list[str]:
    """As typed after ``prompt-video fit``; word for word what ``${args}`` stands for in a sweep file of wandb."""
    return [f"--{name}={value}" for name, value in values.items()]


def read_seeds(text: str) -> tuple[int, ...]:
    """Seeds as typed: how many, from 0 on, or which ones with commas between.

    Raises:
        InputError: when they are neither.
    """
    try:
        numbers = [int(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    seeds = numbers if "," in text else list(range(*numbers[:1]) if numbers else [])
    return checked_seeds(seeds, f"--seeds {text}")


def checked_seeds(seeds: object, place: str) -> tuple[int, ...]:
    """Seeds as they were found.

    Raises:
        InputError: when they are no different whole numbers that a run takes.
    """
    if not isinstance(seeds, list) or not seeds or len(set(map(str, seeds))) < len(seeds):
        raise InputError(f"{place}: name how many seeds, such as 3, or different ones, such as 0,1,2.")
    if wrong := [seed for seed in seeds if type(seed) is not int or not 0 <= seed <= MOST_SEED]:
        raise InputError(f"{place}: a seed is a whole number from 0 to {MOST_SEED}, not {wrong[0]!r}.")
    return tuple(seeds)
