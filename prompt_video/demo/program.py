"""All parts of the demo: what is run, in which order, and the tables and pages that come of it."""

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table

from prompt_video.demo import closed_set, localization, open_set, retrieval
from prompt_video.demo.running import Run, Stage, finished
from prompt_video.demo.sizes import SECONDS, Size
from prompt_video.io.templates import render


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
        self.closed: list[closed_set.Outcome] = []
        self.opened: list[open_set.Outcome] = []
        self.located: list[localization.Outcome] = []
        self.retrieved: list[retrieval.Outcome] = []

    def run(self) -> None:
        """Train and test every method with every seed."""
        stages = self.stages()
        total, started = sum(stage.seconds for stage in stages), time.monotonic()
        self.console.print(f"{len(stages)} runs on worlds that are rendered here; the first ones take longest")
        columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}")
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bar:
            task = bar.add_task("training and testing", total=total, left="")

            def tick(done: float) -> None:
                # What is done tells how fast this machine is, once it is enough of it to tell.
                left = (total - done) * (time.monotonic() - started) / done if done > 0.05 * total else None
                bar.update(task, completed=done, left="" if left is None else f"about {left:.0f} s left")

            for count, (stage, outcome, seconds) in enumerate(finished(stages, tick), start=1):
                said = self._note(stage.run, outcome)
                self.console.print(
                    f"{count:>{len(str(len(stages)))}}/{len(stages)}  seed {stage.run.seed}  {said}   {seconds:5.1f} s",
                    highlight=False,
                )
        self.closed.sort(key=lambda outcome: (outcome.seed, closed_set.METHODS.index(outcome.method)))
        self.opened.sort(key=lambda outcome: outcome.seed)
        self.located.sort(key=lambda outcome: outcome.seed)
        self.retrieved.sort(key=lambda outcome: outcome.seed)

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
            locate = partial(localization.run_method, start_from=start_from)
            order: list[tuple[Run, Callable[[Run], Any], frozenset[Run]]] = [
                (frozen, closed_set.run_method, short),
                (described, retrieval.run_method, frozenset({first_described})),
                (learned, closed_set.run_method, short),
                (long, locate, frozenset({learned, first_long})),
                *((run, open_set.run_method, short) for run in reversed(opened.values())),
                *((closed[key], closed_set.run_method, short) for key in ("prompts", "linear_probe")),
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
            {method.key: run("demo_closed", method.key) for method in closed_set.METHODS},
            {method.key: run("demo_openset", method.key) for method in open_set.METHODS},
            run("demo_localization", "localization"),
            run("demo_retrieval", "retrieval"),
        )

    def _note(
        self,
        run: Run,
        outcome: closed_set.Outcome | list[open_set.Outcome] | localization.Outcome | retrieval.Outcome,
    ) -> str:
        """Keep what a run came to; one line on it."""
        if isinstance(outcome, closed_set.Outcome):
            self.closed.append(outcome)
            return f"{outcome.method.title:<19} top-1 {outcome.top1:6.1%}"
        if isinstance(outcome, list):
            self.opened.extend(outcome)
            hm = [fold.metrics["test/hm"] for fold in outcome if fold.method.key == run.method]
            return f"open set, {run.method:<9} harmonic mean {sum(hm) / len(hm):6.1%}"
        if isinstance(outcome, localization.Outcome):
            self.located.append(outcome)
            return f"localization        mAP@0.5 {outcome.metrics['test/clip_only/map@0.5']:4.1%}"
        self.retrieved.append(outcome)
        return f"retrieval           R@1 {outcome.metrics['test/t2v/r@1']:8.1%}"

    def rows(self) -> list[dict[str, str | int | float]]:
        """One a run and method, ready for JSON."""
        return [
            *closed_set.results(self.closed),
            *open_set.results(self.opened),
            *localization.results(self.located),
            *retrieval.results(self.retrieved),
        ]

    def tables(self) -> list[Table]:
        """One for each part of the demo, for the terminal."""
        return [
            closed_set.table(self.closed),
            open_set.table(self.opened),
            localization.table(self.located),
            retrieval.table(self.retrieved),
        ]

    def page(self, seconds: float) -> str:
        """The report, as HTML.

        Args:
            seconds: that all of it took.
        """
        return render(
            "demo/report.html.jinja",
            title="Prompting a frozen CLIP to understand video",
            protocol=self.closed[-1].protocol,
            seeds=self.seeds,
            seconds=seconds,
            size=self.size,
            closed=closed_set.page_table(self.closed),
            opened=open_set.page_table(self.opened),
            located=localization.page_table(self.located),
            recall=localization.recall(self.located),
            timelines=self.located[-1].timelines,
            starts_from_closed_set=self.located[-1].starts_from_closed_set,
            retrieved=retrieval.page_table(self.retrieved),
            num_captions=self.retrieved[-1].num_captions,
            examples_of_retrieval=self.retrieved[-1].examples,
            **closed_set.page_figures(self.closed),
        )
