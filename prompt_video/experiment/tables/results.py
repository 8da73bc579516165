"""What a table came to: run what is missing, then write it for people, for papers and for programs."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from prompt_video.experiment.tables.plan import Plan
from prompt_video.experiment.tables.running import PlannedRun, place, run_all
from prompt_video.io import console
from prompt_video.io.spreadsheet import write_rows
from prompt_video.io.suggest import nearest
from prompt_video.reports.comparison.report_model import report, results_table
from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.comparison.setting_chart import setting_plot
from prompt_video.reports.document import Plot
from prompt_video.reports.exports import csv_text, latex, markdown
from prompt_video.reports.html import write_page, write_text
from prompt_video.reports.terminal import rich_table

log = logging.getLogger(__name__)

NAME = "table"


def run_and_write(plan: Plan, runs: Path) -> int:
    """Run what has not been run, and write the table.

    Args:
        plan: of the table.
        runs: folder for run folders and tables.

    Returns:
        The exit code: 1 when a run failed.
    """
    planned = place(plan, runs)
    run_all(planned)
    failed = [run for run in planned if run.result is None]
    if len(failed) < len(planned):
        _write(runs / "tables" / plan.name, plan, planned)
    for run in failed:
        log.warning("FAILED: %s%s", run.told, f", see {run.folder}" if run.folder.exists() else "")
    if failed:
        log.warning("%d of %d runs failed; the same command runs them again", len(failed), len(planned))
    return 1 if failed else 0


def rows_of(planned: Sequence[PlannedRun]) -> dict[str, list[Row]]:
    """The rows of each experiment of which a run is done, in their order."""
    runs: dict[tuple[str, str], list[PlannedRun]] = {}
    for run in planned:
        if run.result is not None:
            runs.setdefault((run.experiment, run.row.name), []).append(run)
    rows: dict[str, list[Row]] = {}
    for (experiment, name), own in runs.items():
        rows.setdefault(experiment, []).append(Row(experiment, name, [run.result for run in own if run.result]))
    return rows


def _write(folder: Path, plan: Plan, planned: Sequence[PlannedRun]) -> None:
    left_out = [f"{run.told}: failed, {run.folder}" for run in planned if not run.result]
    rows = rows_of(planned)
    _tell_missing(plan.figures, rows)
    document = report(rows, left_out, plan.command, plan.title, plan.figures, _charts(plan, rows))
    write_page(folder / f"{NAME}.html", document)
    for end, text in ((".md", markdown(document)), (".tex", latex(document)), (".csv", csv_text(document))):
        write_text(folder / f"{NAME}{end}", text)
    _write_runs(folder / "runs.csv", planned)
    terminal = console.Terminal(soft_wrap=False)
    for experiment, of_name in rows.items():
        terminal.print(rich_table(results_table(experiment, of_name, plan.figures), experiment))
    told = f"table: {folder / NAME}.html, .md, .tex and .csv; every run in {folder / 'runs.csv'}"
    terminal.print(told, soft_wrap=True)


def _tell_missing(figures: Sequence[str], rows: Mapping[str, Sequence[Row]]) -> None:
    """Say which columns stay empty."""
    measured = {name for own in rows.values() for row in own for run in row.runs for name in run.metrics}
    for figure in figures:
        if figure not in measured:
            log.warning("no run has the figure '%s' of the columns%s", figure, nearest(figure, measured))


def _charts(plan: Plan, rows: Mapping[str, Sequence[Row]]) -> dict[str, Plot]:
    """That of a sweep, by the name of its experiment."""
    if not plan.charted:
        return {}
    values = {row.name: row.values for row in plan.rows}
    charts = {}
    for experiment, own in rows.items():
        found = [name for row in own for run in row.runs for name in run.metrics if name.startswith("test/")]
        first = next((name for name in found if "frozen_" not in name), found[0])
        figure = next((name for name in plan.charted if name in found), first)
        if (plot := setting_plot([(row, values[row.name]) for row in own], figure)) is not None:
            charts[experiment] = plot
    return charts


def _write_runs(path: Path, planned: Sequence[PlannedRun]) -> None:
    """A line a run with all figures of its tests, for programs."""
    metrics = [run.result.metrics if run.result else {} for run in planned]
    names = sorted({name for own in metrics for name in own if name.startswith("test/")})
    rows = [
        {
            **{"experiment": run.experiment, "row": run.row.name, "seed": run.seed},
            **{name: own.get(name) for name in names},
            "folder": str(run.folder),
        }
        for run, own in zip(planned, metrics, strict=True)
    ]
    write_rows(path, rows)
