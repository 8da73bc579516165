"""The demo's closed set: four methods on the built-in world."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from rich.table import Table

from data_modules.video.decoding import VideoReader
from prompt_video.demo.running import Run, figure
from prompt_video.io.tables import new_table
from prompt_video.reports import figures, page
from prompt_video.reports.film_strip import film_strip


@dataclass(frozen=True)
class Method:
    """One row of the demo's table."""

    key: str
    title: str
    file: str  # in experiments/parts/methods
    about: str


METHODS = (
    Method("frozen_clip", "frozen CLIP", "frozen_templates", "hand-crafted templates, nothing learned"),
    Method("linear_probe", "linear probe", "linear_probe", "one learned vector a class on averaged frames"),
    Method("prompts", "prompts", "prompts", "learned vectors around each class name, frames averaged"),
    Method(
        "prompts_temporal", "prompts + temporal", "prompts_temporal", "the same, and frames that attend to each other"
    ),
)

TITLES = ("method", "top-1", "top-5", "what it is")


@dataclass(frozen=True)
class Outcome:
    """One trained and tested method."""

    method: Method
    seed: int
    top1: float
    top5: float
    folder: Path
    videos: Path
    protocol: str


def run_method(run: Run) -> Outcome:
    """Train and test one method."""
    method = next(method for method in METHODS if method.key == run.method)
    cli = run.train_and_test(f"--method={method.file}")
    metrics, data = cli.record.results["metrics"], cli.datamodule
    return Outcome(
        method,
        run.seed,
        metrics["test/top1"],
        metrics["test/top5"],
        cli.run_folder,
        data.root,
        data.describe_protocol(),
    )


def results(outcomes: Sequence[Outcome]) -> list[dict[str, str | int | float]]:
    """One row a run, ready for JSON."""
    return [
        {
            "method": outcome.method.key,
            "protocol": "closed_set",
            "seed": outcome.seed,
            "top1": outcome.top1,
            "top5": outcome.top5,
        }
        for outcome in outcomes
    ]


def _summary(outcomes: Sequence[Outcome]) -> list[tuple[Method, str, str]]:
    """Method, top-1 and top-5 as text: with the spread where there are several seeds."""

    def over(values: list[float]) -> str:
        return figure(mean(values), stdev(values) if len(values) > 1 else None)

    rows = []
    for method in METHODS:
        mine = [outcome for outcome in outcomes if outcome.method == method]
        rows.append((method, over([o.top1 for o in mine]), over([o.top5 for o in mine])))
    return rows


def table(outcomes: Sequence[Outcome]) -> Table:
    """Figures of every method as a table for the terminal; with several seeds mean and spread."""
    rich_table = new_table("moving shapes, closed set, 48 classes, test split")
    for column in TITLES:
        rich_table.add_column(column, justify="right" if column.startswith("top") else "left")
    for method, top1, top5 in _summary(outcomes):
        rich_table.add_row(method.title, top1, top5, method.about, style="bold" if method is METHODS[-1] else "")
    return rich_table


def page_table(outcomes: Sequence[Outcome]) -> page.Table:
    """The same figures as a table for the report."""
    rows = [(method.title, top1, top5, method.about) for method, top1, top5 in _summary(outcomes)]
    return page.Table(TITLES, rows, best=len(rows) - 1)


def page_figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """What the report shows of the last seed: curves of all methods, videos and confusions of the best one."""
    last = {outcome.method: outcome for outcome in outcomes}
    best = last[METHODS[-1]]
    curves, losses = (
        {
            method.title: points
            for method, outcome in last.items()
            if (points := read_curve(outcome.folder / "logs" / "metrics.csv", column))
        }
        for column in ("val/top1", "train/loss")
    )
    names, matrix = read_confusion(best.folder / "confusion.csv")
    return {
        "curves": [
            figures.learning_curves(curves, "top-1 on the validation split", "top-1"),
            figures.learning_curves(losses, "training loss", "cross-entropy"),
        ],
        "examples": _examples(best.folder / "by_video.csv", best.videos),
        "confusions": [figures.confusion(matrix, names, METHODS[-1].title)],
    }


def read_curve(path: Path, column: str) -> list[tuple[int, float]]:
    """(step, value) of one column of a CSV log; nothing where it was not logged."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [(int(row["step"]), float(row[column])) for row in csv.DictReader(file) if row.get(column)]


def read_confusion(path: Path) -> tuple[list[str], np.ndarray]:
    """Class names and counts, rows the truth."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [row.pop("truth") for row in rows]
    return names, np.array([[int(value) for value in row.values()] for row in rows])


def _examples(path: Path, root: Path, right: int = 9, wrong: int = 6) -> list[page.Example]:
    """Some videos named rightly and some wrongly, spread over the classes."""
    with path.open(newline="", encoding="utf-8") as file:
        guesses = list(csv.DictReader(file))
    hits = [guess for guess in guesses if guess["pred"] == guess["target"]]
    misses = [guess for guess in guesses if guess["pred"] != guess["target"]]
    chosen = hits[:: max(1, len(hits) // right)][:right] + misses[:: max(1, len(misses) // wrong)][:wrong]
    examples = []
    for guess in chosen:
        with VideoReader(root / guess["video_id"]) as reader:
            moments = np.linspace(0.05, 0.95, 6) * reader.timeline.duration_sec
            frames, _ = reader.decode(moments.tolist())
        examples.append(page.Example(film_strip(frames), guess["target"], guess["pred"], float(guess["probability"])))
    return examples
