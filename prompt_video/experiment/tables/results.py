"""What a sweep came to: files with all figures, and a table of the one that matters."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from data_modules.files.json_files import write_json
from prompt_video.experiment.tables.running import Outcome
from prompt_video.io.spreadsheet import write_rows
from prompt_video.io.tables import new_table


def metric_of(outcomes: Sequence[Outcome], *wanted: str | None) -> str:
    """The first metric of those that are wanted which the runs have; else their first of a test."""
    found = [name for outcome in outcomes for name in outcome.metrics if name.startswith("test/")]
    first = next((name for name in found if "frozen_" not in name), "test/top1")
    return next((name for name in wanted if name in found), None) or first


def write_results(folder: Path, metric: str, outcomes: Sequence[Outcome]) -> None:
    """Write ``results.csv`` and ``results.json``: a row a point, with its options and all figures of its test.

    Args:
        folder: of the sweep.
        metric: that tells how good a run is.
        outcomes: of the points.
    """
    names = sorted({name for o in outcomes for name in o.metrics if name.startswith("test/")})
    figures = [metric, *(name for name in names if name != metric)]
    rows = [
        {**o.point.values, **{name: o.metrics.get(name) for name in figures}, "folder": o.folder.name} for o in outcomes
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "results.csv", rows)
    write_json(folder / "results.json", {"metric": metric, "points": rows})


def results_table(metric: str, outcomes: Sequence[Outcome]) -> Table:
    """A line a point: its options, the metric, and the frozen CLIP's beside it."""
    place, _, figure = metric.rpartition("/")
    table = new_table()
    for name in outcomes[0].point.values:
        table.add_column(name)
    table.add_column(metric, justify="right", style="bold")
    table.add_column("frozen CLIP", justify="right", style="dim")
    for outcome in outcomes:
        cells = [str(value) for value in outcome.point.values.values()]
        value, frozen = (outcome.metrics.get(name) for name in (metric, f"{place}/frozen_{figure}"))
        beside = "" if frozen is None else f"{frozen:.4f}"
        table.add_row(*cells, "failed" if value is None else f"{value:.4f}", beside)
    return table
