"""What the demo tells: its four parts, the methods that each compares, and its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prompt_video.demo.running import Run
from prompt_video.reports.comparison.aggregates import frozen_name
from prompt_video.reports.comparison.facts import command_of, facts_of
from prompt_video.reports.comparison.report_model import curve_parts, results_table
from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.comparison.runs import read_run
from prompt_video.reports.document import Code, Document, Facts, Fold, Part, Plots, Section
from prompt_video.reports.media import spread
from prompt_video.reports.tables import Table

NUM_TIMELINES = 4


@dataclass(frozen=True)
class Method:
    """One row of a table."""

    key: str
    title: str
    about: str
    file: str = ""  # in experiments/parts/methods; none: the experiment's own


@dataclass(frozen=True)
class Chapter:
    """One part of the demo.

    Args:
        experiment: name of its file.
        title: heading of its part.
        protocol: in the rows of ``results.json``.
        terminal: heading of its table on the terminal.
        methods: that are trained, in the order of rows.
        figures: of the table.
        lead: paragraphs before it.
        frozen: name of the zero-shot model that tests score beside, in ``results.json``; none where it is a method.
    """

    experiment: str
    title: str
    protocol: str
    terminal: str
    methods: Sequence[Method]
    figures: Sequence[str]
    lead: Sequence[str]
    frozen: str = "frozen_clip"


@dataclass(frozen=True)
class Outcome:
    """One trained and tested run.

    Args:
        run: what was run.
        results: as its ``results.json`` has them.
        sections: what its test shows beyond its figures.
    """

    run: Run
    results: Mapping[str, Any]
    sections: Sequence[Section] = field(default_factory=tuple)

    @property
    def metrics(self) -> Mapping[str, float]:
        """Of the test, as shares."""
        metrics: Mapping[str, float] = self.results["metrics"]
        return metrics


_TEMPLATES = "hand-crafted templates, nothing learned"
CLOSED = Chapter(
    "demo_closed",
    "Closed set",
    "closed_set",
    "moving shapes, closed set, 48 classes, test split, %",
    (
        Method("frozen_clip", "zero-shot", _TEMPLATES, "frozen_templates"),
        Method("linear_probe", "linear probe", "one learned vector a class on averaged frames", "linear_probe"),
        Method("prompts", "prompts", "learned vectors around each class name, frames averaged", "prompts"),
        Method(
            "prompts_temporal",
            "prompts + temporal",
            "the same, and frames that attend to each other",
            "prompts_temporal",
        ),
    ),
    ("test/top1", "test/top5"),
    (
        "A single frame tells the shape, not whether it moves left or right: only a method that sees the order of the "
        "frames can.",
    ),
    frozen="",
)
OPEN = Chapter(
    "demo_openset",
    "Open set: base and novel classes",
    "base_to_novel",
    "moving shapes, open set, 32 classes seen and 16 unseen, 3 folds, %",
    (
        Method("paper", "paper's recipe", "prompts + temporal", "prompts_temporal"),
        Method(
            "regularized",
            "regularized",
            "the same, with features held near what the frozen model makes of names and frames, and noise on what a "
            "video shows all along",
            "regularized",
        ),
    ),
    ("test/base/top1", "test/novel/top1", "test/hm", "test/novel_all/top1", "test/hm_all"),
    (
        "Trained on two thirds of the combinations of shape and motion, tested on the rest too: every shape and every "
        "motion is seen, these combinations of them are not.",
    ),
)
LOCALIZATION = Chapter(
    "demo_localization",
    "Localization",
    "localization",
    "untrimmed shapes, localization of 48 classes, mean average precision, %",
    (Method("localization", "prompts + temporal", "the same proposals, named by what was learned"),),
    ("test/clip_only/map@0.5", "test/clip_only/map@0.75", "test/clip_only/map_avg", "test/proposals/ar@100"),
    (
        "Actions in long videos, between pauses and shapes that do nothing of interest. A detector that knows no class "
        "proposes where something happens; prompts and temporal encoder name it. In the small demo they start from "
        "what they have learned on the short videos above.",
    ),
    frozen="frozen",
)
RETRIEVAL = Chapter(
    "demo_retrieval",
    "Retrieval",
    "retrieval",
    "described shapes, retrieval, recall in %",
    (Method("retrieval", "prompts + temporal", "learned vectors, frames that see each other"),),
    tuple(f"test/{way}/{name}" for way in ("t2v", "v2t") for name in ("r@1", "r@5", "median_rank")),
    (
        "Videos of two or three actions, and sentences that tell them in order: what comes first can only be told by "
        "who sees the order of the frames.",
    ),
)
CHAPTERS = (CLOSED, OPEN, LOCALIZATION, RETRIEVAL)
_JSON_NAMES = {"localization": "prompts_temporal", "retrieval": "prompts_temporal"}
_FROZEN = Method("frozen_clip", "zero-shot", _TEMPLATES)


def run_method(run: Run, start_from: Path | None = None) -> Outcome:
    """Train and test one method.

    Args:
        run: what is run.
        start_from: checkpoint whose prompt and temporal encoder training starts from.
    """
    method = next(one for one in chapter_of(run).methods if one.key == run.method)
    options = [f"--method={method.file}"] if method.file else []
    cli = run.train_and_test(*options, *([f"--model.start_from={start_from}"] if start_from else []))
    return Outcome(run, cli.record.results, cli.record.sections)


def chapter_of(run: Run) -> Chapter:
    """The part of the demo that a run belongs to."""
    return next(chapter for chapter in CHAPTERS if chapter.experiment == run.experiment)


def table(chapter: Chapter, outcomes: Sequence[Outcome]) -> Table:
    """Figures of every method of a part, with their spread where there are several seeds or folds."""
    return results_table(chapter.experiment, _rows(chapter, outcomes), chapter.figures)


def page(outcomes: Sequence[Outcome], about: Facts) -> Document:
    """The report.

    Args:
        outcomes: of all runs, by seed.
        about: seeds, size, time and command.
    """
    lead = ["Naming what a video shows, with one frozen model that never saw a video."]
    sections = [_section(chapter, outcomes) for chapter in CHAPTERS]
    return Document("Prompting a frozen image-text model to understand video", about, sections, lead)


def json_rows(outcomes: Sequence[Outcome]) -> list[dict[str, str | int | float]]:
    """One a run, method and fold, ready for JSON; the zero-shot model of each test once."""
    rows: dict[tuple[str, ...], dict[str, str | int | float]] = {}
    for outcome in outcomes:
        chapter, run = chapter_of(outcome.run), outcome.run
        trials = outcome.results.get("trials")
        for fold, trial in enumerate(trials or [outcome.results]):
            place: dict[str, int] = {"seed": run.seed, **({"fold": fold} if trials else {})}
            for method, is_frozen in ((_JSON_NAMES.get(run.method, run.method), False), (chapter.frozen, True)):
                if method:
                    figures = _json_figures(chapter, trial["metrics"], is_frozen=is_frozen)
                    key = (chapter.protocol, method, *map(str, place.values()))
                    rows[key] = {"method": method, "protocol": chapter.protocol, **place, **figures}
    return list(rows.values())


def _json_figures(chapter: Chapter, metrics: Mapping[str, float], *, is_frozen: bool) -> dict[str, float]:
    """By the names that they have without the test's; what the zero-shot model has no part in is the same for both."""
    names = {figure: frozen_name(figure) if is_frozen else figure for figure in chapter.figures}
    short = {figure: figure.removeprefix("test/") for figure in chapter.figures}
    return {
        short[figure].removeprefix("clip_only/").removeprefix("proposals/"): metrics.get(name, metrics[figure])
        for figure, name in names.items()
    }


def _rows(chapter: Chapter, outcomes: Sequence[Outcome]) -> list[Row]:
    """A row a method, with a run a seed."""
    runs = {
        method: [read_run(one.run.folder) for one in outcomes if one.run.method == method.key]
        for method in chapter.methods
    }
    return [Row(chapter.experiment, method.title, own) for method, own in runs.items()]


def _section(chapter: Chapter, outcomes: Sequence[Outcome]) -> Section:
    """One part: its words, figures, curves, what the test of its last method and seed shows, and how it was made."""
    mine = [one for one in outcomes if one.run.experiment == chapter.experiment]
    rows = _rows(chapter, mine)
    methods = chapter.methods if chapter is CLOSED else (_FROZEN, *chapter.methods)
    runs = [run for row in rows for run in row.runs]
    shown = next((one for one in reversed(mine) if one.run.method == chapter.methods[-1].key), None)
    unread: list[str] = []
    commands = [Code(command_of(run)) for run in runs]
    parts: list[Part] = [
        *chapter.lead,
        Facts([*((method.title, method.about) for method in methods), *facts_of(runs).rows]),
        table(chapter, mine),
        *curve_parts(rows, unread),
        *map(_shortened, shown.sections if shown else ()),
        Fold("How it was made: commands", commands),
    ]
    return Section(chapter.title, [*parts, *unread])


def _shortened(section: Section) -> Section:
    """With few timelines, spread from the first to the last."""
    parts = [Plots(spread(part.plots, NUM_TIMELINES)) if isinstance(part, Plots) else part for part in section.parts]
    return Section(section.title, parts)
