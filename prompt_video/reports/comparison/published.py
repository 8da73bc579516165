"""Figures that others have published of this method and of the zero-shot model; none of them was measured here.

The data stand in ``published.json`` beside this file, figures in per cent but for ranks. They are those of
experiments/README.md, which tells what each source is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Published:
    """One row of someone's table.

    Args:
        experiment: of ours that has the same protocol.
        who: ``this method`` or ``zero-shot``.
        letter: of the source.
        source: in words.
        state: ``found``, ``conditions uncertain`` or ``unverified``.
        figures: by the name that ours have, as shares; ranks as they are.
        spread: of some of the figures, as published.
        note: what else is to be known.
    """

    experiment: str
    who: str
    letter: str
    source: str
    state: str
    figures: Mapping[str, float]
    spread: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


def published(experiment: str) -> list[Published]:
    """What is known of an experiment; empty for most of one's own."""
    return [row for row in all_published() if row.experiment == experiment]


@cache
def all_published() -> tuple[Published, ...]:
    """Every published row, of all experiments, as ``published.json`` lists them."""
    data = json.loads(resources.files("prompt_video.reports.comparison").joinpath("published.json").read_text("utf-8"))
    return tuple(
        Published(
            experiment=row["experiment"],
            who=row["who"],
            letter=row["source"],
            source=data["sources"][row["source"]]["name"],
            state=data["sources"][row["source"]]["state"],
            figures=_shares(row["figures"]),
            spread=_shares(row.get("spread", {})),
            note=row.get("note", ""),
        )
        for row in data["rows"]
    )


def _shares(percents: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) if name.endswith("rank") else value / 100 for name, value in percents.items()}
