"""Runs side by side as a document: of each experiment results, curves, classes, and how each run was made."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from types import MappingProxyType

from prompt_video.reports.comparison.aggregates import (
    Aggregate,
    aggregate,
    columns,
    counted,
    frozen_name,
    gain,
    main_figure,
)
from prompt_video.reports.comparison.class_tables import class_parts
from prompt_video.reports.comparison.curves import Curve, curves, smoothed, validated
from prompt_video.reports.comparison.facts import command_of, facts_of, origin
from prompt_video.reports.comparison.published import Published, published
from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.comparison.runs import Run
from prompt_video.reports.document import Code, Document, Facts, Fold, Part, Plot, Plots, Section
from prompt_video.reports.figures import lines
from prompt_video.reports.tables import ABOUT_BEST, ABOUT_SPREAD, Cell, Column, Figure, Table, text_of
from prompt_video.reports.titles import begun, column_of, title_of

ABOUT_GAIN = "Δ: gain on the frozen model, zero-shot, on the same videos, run by run."
ABOUT_PUBLISHED = "Published figures are for CLIP ViT-B/16 and were not measured here."
NO_PLOTS: Mapping[str, Plot] = MappingProxyType({})
_OF_ONE = ("protocol", "run folder", "run folders")  # stand with each experiment where there are several


def report(
    rows: Mapping[str, Sequence[Row]],
    left_out: Sequence[str],
    command: str,
    title: str = "Runs side by side",
    figures: Sequence[str] = (),
    plots: Mapping[str, Plot] = NO_PLOTS,
) -> Document:
    """All rows of all experiments.

    Args:
        rows: by experiment, in the order of the page.
        left_out: lines on what is not in the report.
        command: that writes it.
        title: of the page.
        figures: columns of the results, by name; none: the main ones that were measured or published.
        plots: that stand before the results of some of the experiments.
    """
    notes = list(left_out)
    sections = [experiment_section(name, of_name, notes, figures, plots.get(name)) for name, of_name in rows.items()]
    if len(rows) == 1:  # what is known of it stands at the head of the page
        sections[0] = replace(sections[0], parts=[part for part in sections[0].parts if not isinstance(part, Facts)])
    runs = [run for of_name in rows.values() for row in of_name for run in row.runs]
    if notes:
        told = f"{len(notes)} of the folders and files, and why"
        sections.append(Section("Left out", [Fold(told, [Code("\n".join(notes))])]))
    of_runs = facts_of(runs).rows if len(rows) == 1 else [row for row in facts_of(runs).rows if row[0] not in _OF_ONE]
    facts = Facts([("runs", f"{len(runs)}, of {', '.join(sorted(rows))}"), *of_runs, ("command", command)])
    return Document(title, facts, sections)


def experiment_section(
    name: str, rows: Sequence[Row], notes: list[str], figures: Sequence[str] = (), plot: Plot | None = None
) -> Section:
    """What is told of one experiment.

    Args:
        name: of the experiment.
        rows: of its runs.
        notes: gets a line for each file that cannot be read.
        figures: columns of the results, see `report`.
        plot: that stands before them.
    """
    runs = [run for row in rows for run in row.runs]
    made = [
        Fold(f"{row.name}, seed {run.seed}", [Code(command_of(run)), origin(run)]) for row in rows for run in row.runs
    ]
    classes = class_parts(rows, notes)
    return Section(
        name,
        [
            facts_of(runs),
            *([Plots([plot])] if plot else []),
            results_table(name, rows, figures),
            *curve_parts(rows, notes),
            *([Section("Classes against zero-shot", classes)] if classes else []),
            Fold(f"How each row was made: command and versions of {_runs(len(runs))}", made),
        ],
    )


def curve_parts(rows: Sequence[Row], notes: list[str]) -> list[Part]:
    """Training loss, and the figure of validation that runs have, each with a line a row, of its newest run.

    Args:
        rows: to compare.
        notes: gets a line for each file that cannot be read.
    """
    logged: dict[str, dict[str, Curve]] = {}
    for row in rows:
        try:
            logged[row.name] = curves(row.newest)
        except ValueError as error:
            notes.append(str(error))
    plots = []
    for name in dict.fromkeys(["train/loss", validated(list(logged.values()))]):
        drawn = {row: own[name] for row, own in logged.items() if name in own}
        if name is not None and drawn:
            plots.append(_plot(name, drawn))
    return [Plots(plots)] if plots else []


def trial_parts(run: Run) -> list[Part]:
    """The main figures of each trial of a run of many; nothing of others."""
    trials = run.results.get("trials", [])
    if len(trials) < 2:
        return []
    figures = columns(name for trial in trials for name in trial["metrics"])
    rows: list[list[Cell]] = [
        [str(trial["name"]), *(_figure(_single(trial["metrics"].get(figure)), figure) for figure in figures)]
        for trial in trials
    ]
    heads = [replace(column_of(figure), better=None) for figure in figures]
    return [Fold(f"{len(trials)} trials, one by one", [Table("Trials", [Column("trial", is_text=True), *heads], rows)])]


def results_table(experiment: str, rows: Sequence[Row], figures: Sequence[str] | None = None) -> Table:
    """A line a row, the zero-shot model's first, published ones last.

    Args:
        experiment: whose published rows stand beside.
        rows: in their order.
        figures: to show, by name; None for the main ones that were measured or published.
    """
    others = published(experiment)
    measured = [figure for row in rows for run in row.runs for figure in run.metrics]
    figures = figures or columns([*measured, *chain.from_iterable(other.figures for other in others)])
    main = main_figure([figure for figure in figures if figure in measured] or figures)
    of_figures = [column_of(figure) for figure in figures]
    with_gain = any(gain(row, main) for row in rows)
    cells: list[list[Cell]] = []
    cells += _references(rows, figures, main)
    for row in rows:
        gained = None if row.newest.method.startswith("frozen") else gain(row, main)
        delta = None if gained is None else Figure(100 * gained.value, _percent(gained.spread), is_gain=True)
        values = (_figure(aggregate(row, figure), figure) for figure in figures)
        cells.append([row.name, *values, *([delta] if with_gain else []), counted(row)])
    first_quoted = len(cells)
    for other in others:
        values = (
            _figure(Aggregate(other.figures[figure], other.spread.get(figure)), figure)
            if figure in other.figures
            else None
            for figure in figures
        )
        mark = other.letter if other.state == "found" else f"{other.letter}, {other.state}"
        note = f"; {other.note}" if other.note else ""
        cells.append([f"published: {other.who}", *values, *([None] if with_gain else []), f"source {mark}{note}"])
    main_column = column_of(main)
    delta_column = Column(f"Δ {main_column.title}", main_column.unit, "higher")
    return Table(
        "Results of the test",
        [
            Column("method", is_text=True),
            *of_figures,
            *([delta_column] if with_gain else []),
            Column("n", is_text=True),
        ],
        cells,
        range(first_quoted, len(cells)),
        [
            " ".join([ABOUT_BEST, ABOUT_SPREAD, *([ABOUT_GAIN] if with_gain else [])]),
            *([f"{ABOUT_PUBLISHED} Sources: {'; '.join(_sources(others))}."] if others else []),
        ],
    )


def _plot(name: str, drawn: Mapping[str, Curve]) -> Plot:
    # The loss is logged as a mean over many steps; other figures of training are of one batch.
    unit, is_noisy = column_of(name.partition("/")[2]).unit, name.startswith("train/") and name != "train/loss"
    scale = 100 if unit else 1
    curves_of = {row: smoothed(own) if is_noisy else own for row, own in drawn.items()}
    scaled = {row: [(step, scale * value) for step, value in own] for row, own in curves_of.items()}
    title = title_of(name)
    axis = f"{title.partition(' on ')[0]}{', %' if unit else ''}"
    note = "Mean of neighbouring steps, since batches differ in size." if is_noisy else ""
    return lines(scaled, begun(title), axis, note=note)


def _single(value: float | None) -> Aggregate | None:
    return None if value is None else Aggregate(value)


def _references(rows: Sequence[Row], figures: Sequence[str], main: str) -> list[list[Cell]]:
    """The zero-shot model that the tests have scored beside what was learned; several lines where rows differ in it."""
    with_gain = any(gain(row, main) for row in rows)
    found: dict[tuple[str, ...], list[Cell]] = {}
    frozen_rows = {_text(aggregate(row, main), main) for row in rows if row.newest.method.startswith("frozen")}
    for row in rows:
        if _text(aggregate(row, frozen_name(main)), main) in frozen_rows:
            continue  # it has been run by itself
        values = [_figure(aggregate(row, frozen_name(figure)), figure) for figure in figures]
        if all(value is None for value in values):
            continue
        texts = tuple(_text(aggregate(row, frozen_name(figure)), figure) for figure in figures)
        beside = "" if not found else f", beside {row.name}"
        found.setdefault(texts, [f"zero-shot{beside}", *values, *([None] if with_gain else []), counted(row)])
    return list(found.values())


def _figure(found: Aggregate | None, figure: str) -> Figure | None:
    if found is None:
        return None
    if figure.endswith(("rank", "videos")):
        return Figure(found.value, found.spread)
    return Figure(100 * found.value, _percent(found.spread))


def _text(found: Aggregate | None, figure: str) -> str:
    return text_of(_figure(found, figure), column_of(figure))


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _sources(others: Sequence[Published]) -> list[str]:
    states = {other.letter: "" if other.state == "found" else f" ({other.state})" for other in others}
    names = {other.letter: other.source for other in others}
    return [f"{letter}: {name}{states[letter]}" for letter, name in names.items()]


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"
