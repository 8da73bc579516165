"""What the runs of a row came to: means and spreads, and what they gain on the zero-shot model."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.comparison.runs import Run

MAIN = ("test/hm", "test/clip_only/map_avg", "test/clip_only/map@0.5", "test/t2v/r@1", "test/map", "test/top1")
# Finer figures stay in results.json.
_SHOWN = re.compile(
    r"^test/ece$|/(top[15]|(bank_)?(auroc|fpr95)|hm(_all)?|map|f1|map_avg|map@[\d.]+|a?r@\d+|median_rank|videos)$"
)
_FEW_OVERLAPS = re.compile(r"map@0\.(5|75|95)$")
_MANY = 6  # overlaps; of more, those that are commonly printed


@dataclass(frozen=True)
class Aggregate:
    """One figure of one row.

    Args:
        value: mean over the seeds.
        spread: sample standard deviation over what ``counted`` says; None for a single number.
    """

    value: float
    spread: float | None = None


def aggregate(row: Row, figure: str) -> Aggregate | None:
    """A figure of a row; None if none of its runs has it."""
    runs = [run for run in row.runs if figure in run.metrics]
    if not runs:
        return None
    values = [run.metrics[figure] for run in runs]
    if len(values) > 1:
        return Aggregate(mean(values), stdev(values))
    return Aggregate(values[0], _spread_within(runs[0], figure))


def counted(row: Row) -> str:
    """What the mean and the spread of a row are over: ``3 seeds``, ``10 trials of 1 seed``."""
    seeds = len(row.runs)
    words = f"{seeds} seeds" if seeds > 1 else "1 seed"
    inside = max((_trials(run) for run in row.runs), default=1)
    tests = max((_tests(run) for run in row.runs), default=1)
    kind, number = ("trials", inside) if inside > 1 else ("tests", tests)
    if number <= 1:
        return words if seeds > 1 else f"{words}: no spread"
    return f"{words} of {number} {kind} each" if seeds > 1 else f"{number} {kind} of {words}"


def frozen_name(figure: str) -> str:
    """The same figure of the zero-shot model on the same frames."""
    place, _, name = figure.rpartition("/")
    return f"{place}/frozen_{name}"


def gain(row: Row, figure: str) -> Aggregate | None:
    """A row's figure less the zero-shot model's, run by run; None where that was not measured."""
    gains = [
        run.metrics[figure] - run.metrics[frozen_name(figure)]
        for run in row.runs
        if figure in run.metrics and frozen_name(figure) in run.metrics
    ]
    return Aggregate(mean(gains), stdev(gains) if len(gains) > 1 else None) if gains else None


def columns(figures: Iterable[str]) -> list[str]:
    """The figures that a table shows, in order.

    Args:
        figures: all that the runs of an experiment or published rows have.
    """
    tested = [name for name in dict.fromkeys(figures) if name.startswith("test/")]
    names = [name for name in tested if _SHOWN.search(name)] or tested  # of a task of one's own nothing is known
    names = [name for name in names if not re.search(r"/(frozen|dual_softmax|qb_norm)_", name)]
    places = {name.rpartition("/")[0] for name in names if name.endswith("top1")}
    if len(places) > 1:
        names = [name for name in names if not name.endswith("top5")]
    for place in {name.rpartition("/")[0] for name in names}:
        overlaps = [name for name in names if name.startswith(f"{place}/map@")]
        if len(overlaps) > _MANY:
            names = [name for name in names if name not in overlaps or _FEW_OVERLAPS.search(name)]
    return sorted(names, key=_order)


def main_figure(figures: Sequence[str]) -> str:
    """The one that rows are compared by; an empty name where there is none."""
    others = (name for name in figures if not name.endswith("/videos"))
    return next((name for name in MAIN if name in figures), next(others, ""))


def _order(name: str) -> tuple[bool, bool, bool, str, bool, list[float]]:
    place, _, figure = name.rpartition("/")
    numbers = [float(number) for number in re.findall(r"[\d.]+", figure.removesuffix("fpr95"))]
    is_among_all = place.endswith("_all") or figure.endswith("_all")
    return is_among_all, figure.startswith("hm"), place == "test/v2t", place, not numbers, numbers


def _spread_within(run: Run, figure: str) -> float | None:
    """Of the trials or tests of one run."""
    confidence = run.results.get("confidence", {}).get(figure)
    if confidence is not None:
        spread: float | None = confidence.get("std")
        return spread if confidence.get("trials", 1) > 1 else None
    return run.metrics.get(f"{figure}_std")


def _trials(run: Run) -> int:
    return max((int(entry.get("trials", 1)) for entry in run.results.get("confidence", {}).values()), default=1)


def _tests(run: Run) -> int:
    return (
        sum(bool(re.fullmatch(r"test/[^/]+/top1", name)) for name in run.metrics) if "test/top1" in run.metrics else 1
    )
