"""All parts of the demo: what is run, in which order, and the tables and pages that come of it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console, Group

from prompt_video.demo.chapters import (
    CHAPTERS,
    CLOSED,
    LOCALIZATION,
    OPEN,
    RETRIEVAL,
    Chapter,
    Outcome,
    chapter_of,
    json_rows,
    page,
    run_method,
    table,
)
from prompt_video.demo.running import Run, Stage, finished
from prompt_video.demo.sizes import SECONDS, Size
from prompt_video.io.progress import Steps
from prompt_video.reports.document import Document, Facts
from prompt_video.reports.tables import Link
from prompt_video.reports.terminal import rich_table

_SIZES: dict[Size, str] = {
    "small": "small worlds and short runs; --size full takes the experiments as they stand in their files",
    "full": "the experiments as they stand in their files",
}


class Demo:
    """All parts of the demo, and what each came to.

    Args:
        out: folder of the demo.
        size: of its worlds and runs.
        seeds: number of them.
        console: is told what is being run, and what came of it.
    """

    def __init__(self, out: Path, size: Size, seeds: int, console: Console) -> None:
        self.out, self.size, self.seeds, self.console = out, size, seeds, console
        self.outcomes: list[Outcome] = []

    def run(self) -> None:
        """Train and test every method with every seed."""
        stages = self.stages()
        total = sum(stage.seconds for stage in stages)
        self.console.print(f"{len(stages)} runs on worlds that are rendered here; the first ones take longest")
        is_shown = self.console.is_terminal  # a log has a line a run
        with Steps("training and testing", 100, "%", stdout=True, show=is_shown, console=self.console) as steps:
            ended = finished(stages, lambda done: steps.to(100 * done / total))
            for count, (stage, outcome, seconds) in enumerate(ended, start=1):
                self.outcomes.append(outcome)
                place = f"{count:>{len(str(len(stages)))}}/{len(stages)}"
                steps.print(f"{place}  seed {stage.run.seed}  {_note(outcome)}   {seconds:5.1f} s")
        self.outcomes.sort(
            key=lambda outcome: (CHAPTERS.index(chapter_of(outcome.run)), outcome.run.seed, _place(outcome))
        )

    def stages(self) -> list[Stage]:
        """Every run, in the order in which they start where what they need allows."""
        stamp = f"{datetime.now():%Y-%m-%d_%H%M%S}"
        stages: list[Stage] = []
        first, first_long, first_described = self._first(stamp)
        for seed in range(self.seeds):
            closed, opened, long, described = self._runs(seed, stamp)
            frozen, learned = closed["frozen_clip"], closed["prompts_temporal"]
            short = frozenset({first})
            # The small demo teaches the names on short videos, so that the long ones need only teach where they are.
            start_from = learned.folder / "checkpoints" / "best.ckpt" if self.size == "small" else None
            locate = partial(run_method, start_from=start_from)
            order: list[tuple[Run, Callable[[Run], Any], frozenset[Run]]] = [
                (frozen, run_method, short),
                (described, run_method, frozenset({first_described})),
                (learned, run_method, short),
                (long, locate, frozenset({learned, first_long})),
                *((run, run_method, short) for run in reversed(opened.values())),
                *((closed[key], run_method, short) for key in ("prompts", "linear_probe")),
            ]
            stages += [Stage(run, main, needs - {run}, SECONDS[self.size][run.method]) for run, main, needs in order]
        return stages

    def _first(self, stamp: str) -> tuple[Run, Run, Run]:
        """The runs that render the videos of a world and compute their features, for all others."""
        closed, _, long, described = self._runs(0, stamp)
        return closed["frozen_clip"], long, described

    def _runs(self, seed: int, stamp: str) -> tuple[dict[str, Run], dict[str, Run], Run, Run]:
        """Of one seed: closed set and open set, by method, localization and retrieval."""

        def run(experiment: str, method: str) -> Run:
            folder = self.out / "runs" / f"{experiment}_{method}" / f"{stamp}_seed{seed}"
            return Run(experiment, method, seed, self.size, folder)

        return (
            {method.key: run(CLOSED.experiment, method.key) for method in CLOSED.methods},
            {method.key: run(OPEN.experiment, method.key) for method in OPEN.methods},
            run(LOCALIZATION.experiment, "localization"),
            run(RETRIEVAL.experiment, "retrieval"),
        )

    def rows(self) -> list[dict[str, str | int | float]]:
        """One a run and method, ready for JSON."""
        return json_rows(self.outcomes)

    def tables(self) -> list[Group]:
        """One for each part of the demo, for the terminal."""
        return [rich_table(table(chapter, self._of(chapter)), chapter.terminal) for chapter in CHAPTERS]

    def document(self, seconds: float) -> Document:
        """The report.

        Args:
            seconds: that all of it took.
        """
        facts = Facts(
            [
                ("seeds", ", ".join(map(str, range(self.seeds)))),
                ("date", f"{datetime.now():%Y-%m-%d %H:%M}, {seconds:.0f} s in all"),
                ("size", _SIZES[self.size]),
                ("command", f"prompt-video demo --seeds {self.seeds} --size {self.size}"),
                ("run folders", [Link(str(self.out / "runs"), self.out / "runs")]),
            ]
        )
        return page(self.outcomes, facts)

    def _of(self, chapter: Chapter) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.run.experiment == chapter.experiment]


def _place(outcome: Outcome) -> int:
    return [method.key for method in chapter_of(outcome.run).methods].index(outcome.run.method)


def _note(outcome: Outcome) -> str:
    """One line on what a run came to."""
    chapter = chapter_of(outcome.run)
    name, figure = {
        CLOSED: ("top-1", "test/top1"),
        OPEN: ("harmonic mean", "test/hm"),
        LOCALIZATION: ("mAP at 0.5", "test/clip_only/map@0.5"),
        RETRIEVAL: ("R@1", "test/t2v/r@1"),
    }[chapter]
    what = f"{chapter.title.partition(':')[0].lower()}, {chapter.methods[_place(outcome)].title}"
    return f"{what:<34} {name:>13} {outcome.metrics[figure]:6.1%}"
