"""The demo's localization: what happens when in long videos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from markupsafe import Markup
from rich.table import Table

from prompt_video.demo.running import Run, figure
from prompt_video.io.tables import new_table
from prompt_video.reports import page
from prompt_video.reports.localization import timelines
from prompt_video.reports.localization_files import localization
from prompt_video.reports.timeline import timeline_svg
from prompt_video.tasks.localization import LocalizationTask

FIGURES = ("map@0.5", "map@0.75", "map_avg")
TITLES = ("scores", "mAP at 0.5", "at 0.75", "average", "what it is")
ROWS = {
    "frozen": ("frozen CLIP", "clip_only/frozen_", "hand-crafted templates name what the detector proposes"),
    "prompts_temporal": ("prompts + temporal", "clip_only/", "the same proposals, named by what was learned"),
}
NUM_VIDEOS = 4


@dataclass(frozen=True)
class Outcome:
    """One trained and tested run."""

    seed: int
    metrics: Mapping[str, float]
    timelines: Sequence[Markup]  # of some videos from the best to the worst
    starts_from_closed_set: bool


def run_method(run: Run, start_from: Path | None = None) -> Outcome:
    """Train and test detector, prompts and temporal encoder.

    Args:
        run: what is run.
        start_from: checkpoint whose prompt and temporal encoder training starts from.
    """
    cli = run.train_and_test(*([f"--model.start_from={start_from}"] if start_from else []))
    assert isinstance(cli.model, LocalizationTask)
    results = localization(cli.model.results["test"])
    drawn = [timeline_svg(timeline) for timeline in timelines(results, NUM_VIDEOS)]
    return Outcome(run.seed, cli.record.results["metrics"], drawn, start_from is not None)


def results(outcomes: Sequence[Outcome]) -> list[dict[str, str | int | float]]:
    """Two rows a run, ready for JSON: prompted CLIP, and the frozen one on the same proposals."""
    return [
        {
            "method": key,
            "protocol": "localization",
            "seed": outcome.seed,
            **{name: outcome.metrics[f"test/{place}{name}"] for name in FIGURES},
            "ar@100": outcome.metrics["test/proposals/ar@100"],
        }
        for outcome in outcomes
        for key, (_, place, _) in ROWS.items()
    ]


def _rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    def over(name: str) -> str:
        values = [outcome.metrics[f"test/{name}"] for outcome in outcomes]
        return figure(mean(values), stdev(values) if len(values) > 1 else None)

    return [(title, *(over(place + name) for name in FIGURES), about) for title, place, about in ROWS.values()]


def table(outcomes: Sequence[Outcome]) -> Table:
    """Figures of every method as a table for the terminal; with several seeds mean and spread."""
    rich_table = new_table("untrimmed shapes, localization of 48 classes, mean average precision")
    for column in TITLES:
        rich_table.add_column(column, justify="left" if column in (TITLES[0], TITLES[-1]) else "right")
    rows = _rows(outcomes)
    for row in rows:
        rich_table.add_row(*row, style="bold" if row is rows[-1] else "")
    return rich_table


def page_table(outcomes: Sequence[Outcome]) -> page.Table:
    """The same figures as a table for the report."""
    return page.Table(TITLES, _rows(outcomes), best=len(ROWS) - 1)


def recall(outcomes: Sequence[Outcome]) -> float:
    """Average recall of 100 proposals a video, in [0, 1]."""
    return mean(outcome.metrics["test/proposals/ar@100"] for outcome in outcomes)
