"""``prompt-video demo``: four methods on the built-in world, one table, one report."""

import argparse
import csv
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from rich.console import Console
from rich.table import Table

from data_modules.decoding import VideoReader
from data_modules.errors import InputError
from prompt_video.experiment import ExperimentCLI
from prompt_video.experiment import main as run_experiment
from prompt_video.reporting import figures, page


@dataclass(frozen=True)
class Method:
    """One row of the demo's table."""

    key: str
    title: str
    experiment: str
    about: str


METHODS = (
    Method("frozen_clip", "frozen CLIP", "demo_closed_frozen", "hand-crafted templates, nothing learned"),
    Method("linear_probe", "linear probe", "demo_closed_probe", "one learned vector a class on averaged frames"),
    Method("prompts", "prompts", "demo_closed_prompts", "learned vectors around each class name, frames averaged"),
    Method("prompts_temporal", "prompts + temporal", "demo_closed", "the same, and frames that attend to each other"),
)


@dataclass(frozen=True)
class Outcome:
    """One trained and tested method."""

    method: Method
    seed: int
    top1: float
    top5: float
    folder: Path


def main(arguments: list[str]) -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="prompt-video demo", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds to run each method with")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of results and report")
    options = parser.parse_args(arguments[1:])
    started = time.monotonic()
    console = Console()
    outcomes = []
    for seed in range(options.seeds):
        for method in METHODS:
            before = time.monotonic()
            outcome, cli = _run(method, seed, options.out)
            outcomes.append(outcome)
            console.print(
                f"seed {seed}  {method.title:<19} top-1 {outcome.top1:6.1%}   {time.monotonic() - before:5.1f} s",
                highlight=False,
            )
    seconds = time.monotonic() - started
    _write_results(outcomes, seconds, options.out / "results.json")
    report = options.out / "report.html"
    report.write_text(_report(outcomes, cli, seconds), encoding="utf-8")
    console.print(_table(outcomes))
    console.print(f"{seconds:.0f} s; report: {report}", highlight=False, soft_wrap=True)


def experiments_folder() -> Path:
    """Where the experiment files are: beside the packages in a checkout, inside them when installed.

    Raises:
        InputError: when they are in neither place.
    """
    package = Path(__file__).parent.parent
    for folder in (package.parent / "experiments", package / "experiments"):
        if folder.is_dir():
            return folder
    raise InputError("the experiments folder is missing; run from a checkout of the repository.")


def _run(method: Method, seed: int, out: Path) -> tuple[Outcome, ExperimentCLI]:
    os.environ.setdefault("WANDB_MODE", "offline")
    cli = run_experiment(
        [
            "fit",
            f"--config={experiments_folder() / method.experiment}.yaml",
            f"--seed_everything={seed}",
            f"--runs={out / 'runs'}",
            "--wandb=disabled",
            "--quiet=true",
        ]
    )
    metrics = cli.record.results["metrics"]
    return Outcome(method, seed, metrics["test/top1"], metrics["test/top5"], cli.run_folder), cli


def _write_results(outcomes: Sequence[Outcome], seconds: float, path: Path) -> None:
    rows = [
        {
            "method": outcome.method.key,
            "protocol": "closed_set",
            "seed": outcome.seed,
            "top1": outcome.top1,
            "top5": outcome.top5,
        }
        for outcome in outcomes
    ]
    path.write_text(json.dumps({"rows": rows, "seconds": round(seconds, 1)}, indent=2) + "\n")


def _summary(outcomes: Sequence[Outcome]) -> list[tuple[Method, str, str]]:
    """Method, top-1 and top-5 as text: with the spread where there are several seeds."""

    def figure(values: list[float]) -> str:
        spread = f" ± {stdev(values):.1%}" if len(values) > 1 else ""
        return f"{mean(values):.1%}{spread}"

    rows = []
    for method in METHODS:
        mine = [outcome for outcome in outcomes if outcome.method == method]
        rows.append((method, figure([o.top1 for o in mine]), figure([o.top5 for o in mine])))
    return rows


def _table(outcomes: Sequence[Outcome]) -> Table:
    table = Table(title="moving shapes, closed set, 48 classes, test split", title_justify="left")
    for column in ("method", "top-1", "top-5", "what it is"):
        table.add_column(column, justify="right" if column.startswith("top") else "left")
    for method, top1, top5 in _summary(outcomes):
        table.add_row(method.title, top1, top5, method.about, style="bold" if method is METHODS[-1] else "")
    return table


def _report(outcomes: Sequence[Outcome], cli: ExperimentCLI, seconds: float) -> str:
    data = cli.datamodule
    last = {outcome.method.key: outcome for outcome in outcomes}
    best = last[METHODS[-1].key]
    seeds = len({outcome.seed for outcome in outcomes})
    lead = (
        "<p>Four ways to name what a short video shows, all on one frozen CLIP that never saw a video. A single frame "
        "tells the shape, not whether it moves left or right: only the last method sees the order of the frames.</p>"
        f'<p class="soft">{data.describe_protocol()} {seeds} seed{"s" if seeds > 1 else ""}, {seconds:.0f} s in all. '
        "Made by <code>prompt-video demo</code>.</p>"
    )
    rows = [(method.title, top1, top5, method.about) for method, top1, top5 in _summary(outcomes)]
    curves = {
        outcome.method.title: points
        for outcome in last.values()
        if (points := read_curve(outcome.folder / "logs" / "metrics.csv", "val/top1"))
    }
    losses = {
        outcome.method.title: points
        for outcome in last.values()
        if (points := read_curve(outcome.folder / "logs" / "metrics.csv", "train/loss"))
    }
    names, matrix = read_confusion(best.folder / "confusion.csv")
    sections = [
        ("Results on the test split", page.table(("method", "top-1", "top-5", "what it is"), rows, best=len(rows) - 1)),
        (
            "Learning",
            page.figures(
                figures.learning_curves(curves, "top-1 on the validation split", "top-1"),
                figures.learning_curves(losses, "training loss", "cross-entropy"),
            ),
        ),
        (
            "Test videos and what prompts + temporal made of them",
            page.contact_sheet(_examples(best.folder / "predictions.csv", data.root)),
        ),
        ("Confusions", page.figures(figures.confusion(matrix, names, METHODS[-1].title), wide=True)),
    ]
    return page.page("Prompting a frozen CLIP to understand video", lead, sections)


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
        examples.append(
            page.Example(figures.film_strip(frames), guess["target"], guess["pred"], float(guess["probability"]))
        )
    return examples
