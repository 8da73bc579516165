"""The demo's retrieval: which video a sentence tells of, and which sentence tells of a video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from markupsafe import Markup
from rich.table import Table

from prompt_video.demo.running import Run
from prompt_video.io.tables import new_table
from prompt_video.reports import page
from prompt_video.reports.retrieval import examples
from prompt_video.reports.retrieval_media import questions
from prompt_video.tasks.retrieval import RetrievalTask

DIRECTIONS = {"t2v": "text to video", "v2t": "video to text"}
FIGURES = {"r@1": "R@1", "r@5": "R@5", "median_rank": "median rank"}
ROWS = {
    "frozen_clip": ("frozen CLIP", "frozen_", "hand-crafted templates, frames averaged"),
    "prompts_temporal": ("prompts + temporal", "", "learned vectors, frames that see each other"),
}


@dataclass(frozen=True)
class Outcome:
    """One trained and tested run."""

    seed: int
    metrics: Mapping[str, float]
    num_videos: int
    num_captions: int
    examples: Markup  # some sentences and what was found


def run_method(run: Run) -> Outcome:
    """Train and test prompts and temporal encoder; the frozen CLIP's figures come with it."""
    cli = run.train_and_test()
    assert isinstance(cli.model, RetrievalTask)
    results = cli.model.results["test"]
    assert results.answers is not None
    asked, records = questions(results.answers, results.records), results.records
    return Outcome(run.seed, cli.record.results["metrics"], len(records), len(asked), examples(asked))


def results(outcomes: Sequence[Outcome]) -> list[dict[str, str | int | float]]:
    """Two rows a run, ready for JSON."""
    return [
        {
            "method": key,
            "protocol": "retrieval",
            "seed": outcome.seed,
            **{
                f"{way}/{name}": outcome.metrics[f"test/{way}/{prefix}{name}"] for way in DIRECTIONS for name in FIGURES
            },
        }
        for outcome in outcomes
        for key, (_, prefix, _) in ROWS.items()
    ]


def _rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """Method and figures as text: recalls in percent, with the spread where there are several seeds."""

    def over(key: str) -> str:
        scale = 1 if key.endswith("median_rank") else 100
        values = [scale * outcome.metrics[f"test/{key}"] for outcome in outcomes]
        return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{mean(values):.1f}"

    return [
        (title, *(over(f"{way}/{prefix}{name}") for way in DIRECTIONS for name in FIGURES), about)
        for title, prefix, about in ROWS.values()
    ]


def table(outcomes: Sequence[Outcome]) -> Table:
    """Figures of every method as a table for the terminal; with several seeds mean and spread."""
    title = f"described shapes, retrieval among {outcomes[-1].num_videos} videos, recall in %"
    # Narrow, as there are many columns: eighty letters have to do.
    rich_table = new_table(title)
    rich_table.add_column("scores", vertical="bottom", no_wrap=True)
    for way in ("text to\nvideo", "video to\ntext"):
        for heading in (f"{way}\nR@1", "R@5", "median\nrank"):
            rich_table.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    rows = _rows(outcomes)
    for row in rows:
        rich_table.add_row(*(cell.replace(" ± ", "±") for cell in row[:-1]), style="bold" if row is rows[-1] else "")
    return rich_table


def page_table(outcomes: Sequence[Outcome]) -> page.Table:
    """The same figures as a table for the report."""
    header = ["scores", *(f"{way}: {name}" for way in DIRECTIONS.values() for name in FIGURES.values()), "what it is"]
    return page.Table(header, _rows(outcomes), best=len(ROWS) - 1)
