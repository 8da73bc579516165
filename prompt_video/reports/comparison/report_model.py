"""The report as plain parts, which HTML and Markdown then write down, so that both hold the same numbers."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from prompt_video.reports.comparison.aggregates import (
    Aggregate,
    aggregate,
    columns,
    frozen_name,
    gain,
    main_figure,
    over,
)
from prompt_video.reports.comparison.classes import ClassGain, class_gains
from prompt_video.reports.comparison.curves import Curve, curves, validated
from prompt_video.reports.comparison.published import Published, published
from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.comparison.runs import Run
from prompt_video.reports.page import Table

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
FEW_CLASSES = 10  # of the largest gains, and as many of the smallest

ABOUT_SPREAD = (
    "Per cent, but for ranks. Of several seeds: mean ± standard deviation over the seeds. Of one seed: of many trials "
    "the mean ± half the width of Student's 95 % interval over the trials, of several tests the mean ± standard "
    "deviation over them. Δ is the gain on the frozen CLIP on the same frames, run by run."
)
ABOUT_PUBLISHED = "Published figures are for CLIP ViT-B/16 and were not measured here."


@dataclass(frozen=True)
class Origin:
    """How one run was made.

    Args:
        row: name of the row that it is part of.
        seed: of the run.
        command: that can be typed again.
        facts: (name, value).
    """

    row: str
    seed: str
    command: str
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Experiment:
    """All that is told of one experiment.

    Args:
        name: of the experiment.
        protocols: what its runs say of theirs; several where they differ.
        results: the table of rows.
        sources: of the published rows.
        main: the figure that rows are compared by.
        classes: of each row, largest gain first.
        curves: (what it is, lines of (step, value) by row).
        origins: of each run.
    """

    name: str
    protocols: Sequence[str]
    results: Table
    sources: Sequence[str]
    main: str
    classes: Mapping[str, Sequence[ClassGain]]
    curves: Sequence[tuple[str, Mapping[str, Curve]]]
    origins: Sequence[Origin]


@dataclass(frozen=True)
class ReportModel:
    """The whole report.

    Args:
        experiments: in the order of their names.
        left_out: what is not in it, and why.
    """

    experiments: Sequence[Experiment]
    left_out: Sequence[str] = field(default_factory=tuple)

    @property
    def num_runs(self) -> int:
        """Of all experiments together."""
        return sum(len(experiment.origins) for experiment in self.experiments)


def report_model(rows: Mapping[str, Sequence[Row]], left_out: Sequence[str]) -> ReportModel:
    """What is to be told of some rows.

    Args:
        rows: by experiment.
        left_out: lines on what is not in the report.
    """
    notes = list(left_out)
    experiments = [_experiment(name, of_name, notes) for name, of_name in sorted(rows.items())]
    return ReportModel(experiments, notes)


def class_table(gains: Sequence[ClassGain]) -> Table:
    """The classes that gain most and least on the frozen CLIP."""
    listed = list(gains)
    if len(listed) > 2 * FEW_CLASSES:
        listed = [*gains[:FEW_CLASSES], *gains[-FEW_CLASSES:]]
    rows = [(one.name, _percent(one.learned), _percent(one.frozen), _signed(one.gain)) for one in listed]
    return Table(("class", "learned", "frozen CLIP", "Δ"), rows)


def class_note(gains: Sequence[ClassGain]) -> str:
    """How many classes there are, and how they fare."""
    better = sum(one.gain > 0 for one in gains)
    worse = sum(one.gain < 0 for one in gains)
    words = f"{len(gains)} classes: {better} above the frozen CLIP, {worse} below, {len(gains) - better - worse} equal."
    if len(gains) > 2 * FEW_CLASSES:
        words += f" Shown are the {FEW_CLASSES} largest gains and the {FEW_CLASSES} smallest."
    return words


def figure_title(figure: str) -> str:
    """A figure's name in a heading: ``test/t2v/r@1`` becomes ``t2v R@1``."""
    words = figure.removeprefix("test/").removeprefix("clip_only/").replace("/", " ").replace("_", " ")
    for plain, usual in (
        ("r@", "R@"),
        ("map@", "mAP@"),
        ("map avg", "mAP average"),
        ("top1", "top-1"),
        ("top5", "top-5"),
    ):
        words = words.replace(plain, usual)
    return words


def _experiment(name: str, rows: Sequence[Row], notes: list[str]) -> Experiment:
    others = published(name)
    measured = [figure for row in rows for run in row.runs for figure in run.metrics]
    figures = columns([*measured, *(figure for other in others for figure in other.figures)])
    main = main_figure([figure for figure in figures if figure in measured] or figures)
    gains = {}
    logged: dict[str, dict[str, Curve]] = {}
    for row in rows:
        try:
            gains[row.name] = class_gains(row)
        except ValueError as error:
            notes.append(str(error))
        try:
            logged[row.name] = curves(row.newest)
        except ValueError as error:
            notes.append(str(error))
    return Experiment(
        name=name,
        protocols=list(dict.fromkeys(str(run.results["protocol"]) for row in rows for run in row.runs)),
        results=_results(rows, others, figures, main),
        sources=[_source(other) for other in {other.letter: other for other in others}.values()],
        main=main,
        classes={row: own for row, own in gains.items() if any(one.gain for one in own)},
        curves=_curves(logged),
        origins=[_origin(row.name, run) for row in rows for run in row.runs],
    )


def _results(rows: Sequence[Row], others: Sequence[Published], figures: Sequence[str], main: str) -> Table:
    header = ("", *(figure_title(figure) for figure in figures), f"frozen CLIP: {figure_title(main)}", "Δ", "over")
    lines = []
    for row in rows:
        cells = (_cell(aggregate(row, figure), figure) for figure in figures)
        frozen, gained = _cell(aggregate(row, frozen_name(main)), main), gain(row, main)
        lines.append((row.name, *cells, frozen, NONE if gained is None else _signed(gained.value), over(row)))
    for other in others:
        values = (
            _cell(Aggregate(other.figures[figure], other.spread.get(figure)), figure)
            if figure in other.figures
            else NONE
            for figure in figures
        )
        mark = other.letter if other.state == "found" else f"{other.letter}, {other.state}"
        note = f"; {other.note}" if other.note else ""
        lines.append((f"published: {other.who}", *values, "", "", f"{mark}{note}"))
    return Table(header, lines, quoted=range(len(rows), len(lines)))


def _source(other: Published) -> str:
    state = "" if other.state == "found" else f" ({other.state})"
    return f"{other.letter}: {other.source}{state}"


def _curves(logged: Mapping[str, dict[str, Curve]]) -> list[tuple[str, Mapping[str, Curve]]]:
    names = dict.fromkeys(["train/loss", validated(list(logged.values()))])
    drawn = ((name, {row: curves[name] for row, curves in logged.items() if name in curves}) for name in names if name)
    return [(name, lines) for name, lines in drawn if lines]


def _origin(row: str, run: Run) -> Origin:
    git = run.environment.get("git") or {}
    commit = str(git.get("commit", "not recorded"))[:12] + (", changed since" if git.get("changed") else "")
    packages: Mapping[str, str | None] = run.environment.get("packages", {})
    versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    gpus = ", ".join(run.environment.get("gpus", [])) or run.environment.get("processor", "not recorded")
    facts = [
        ("folder", str(run.folder)),
        ("seed", str(run.seed)),
        ("commit", commit),
        ("python", str(run.environment.get("python", "not recorded"))),
        ("packages", versions or "not recorded"),
        ("machine", str(gpus)),
        ("model", str(run.results.get("model", "not recorded"))),
    ]
    return Origin(row, str(run.seed), shlex.join(str(word) for word in run.command) or "not recorded", facts)


def _cell(aggregate: Aggregate | None, figure: str) -> str:
    if aggregate is None:
        return NONE
    if figure.endswith("rank"):
        return f"{aggregate.value:.1f}" + (f" ± {aggregate.spread:.1f}" if aggregate.spread is not None else "")
    return _percent(aggregate.value) + (f" ± {100 * aggregate.spread:.1f}" if aggregate.spread is not None else "")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", MINUS)
