"""What a table came to: run what is missing, then write it for people, for papers and for programs."""

import logging
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from data_modules.files.atomic import write_whole
from prompt_video.experiment.tables.plan import Plan
from prompt_video.experiment.tables.running import PlannedRun, place, run_all
from prompt_video.io import console
from prompt_video.io.spreadsheet import write_rows
from prompt_video.io.tables import new_table
from prompt_video.reports import page
from prompt_video.reports.comparison.html import html
from prompt_video.reports.comparison.markdown import markdown
from prompt_video.reports.comparison.report_model import report_model
from prompt_video.reports.comparison.rows import Row

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
        _write(runs / "tables" / plan.name, planned)
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


def _write(folder: Path, planned: Sequence[PlannedRun]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    report = report_model(rows_of(planned), [f"{run.told}: failed, {run.folder}" for run in planned if not run.result])
    write_whole(folder / f"{NAME}.html", lambda whole: whole.write_text(html(report), encoding="utf-8"))
    write_whole(folder / f"{NAME}.md", lambda whole: whole.write_text(markdown(report), encoding="utf-8"))
    _write_runs(folder / "runs.csv", planned)
    terminal = console.Terminal(soft_wrap=False)
    for experiment in report.experiments:
        terminal.rule(experiment.name, align="left")
        terminal.print(_on_terminal(experiment.results))
    terminal.print(f"table: {folder / NAME}.html and .md; every run in {folder / 'runs.csv'}", soft_wrap=True)


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


def _on_terminal(table: page.Table) -> Table:
    shown = new_table()
    for number, heading in enumerate(table.header):
        shown.add_column(heading, justify="right" if 0 < number < len(table.header) - 1 else "left")
    for number, row in enumerate(table.rows):
        shown.add_row(*row, style="dim" if number in table.quoted else "")
    return shown
