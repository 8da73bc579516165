"""``prompt-video demo``: the method on the built-in worlds, tables and a report."""

import argparse
import json
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from data_modules.atomic import write_whole
from prompt_video.demo import closed_set, localization, open_set, retrieval
from prompt_video.reporting import page


def main(arguments: list[str]) -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="prompt-video demo", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds to run each method with")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of results and report")
    options = parser.parse_args(arguments[1:])
    started = time.monotonic()
    console = Console()
    demo = _Demo(options.out, console)
    for seed in range(options.seeds):
        demo.run(seed)
    seconds = time.monotonic() - started
    text = json.dumps({"rows": demo.rows(), "seconds": round(seconds, 1)}, indent=2) + "\n"
    write_whole(options.out / "results.json", lambda partial: partial.write_text(text))
    report = options.out / "report.html"
    seeds = f"{options.seeds} seed{'s' if options.seeds > 1 else ''}"
    html = page.page("Prompting a frozen CLIP to understand video", demo.lead(seeds, seconds), demo.sections())
    write_whole(report, lambda partial: partial.write_text(html, encoding="utf-8"))
    for table in demo.tables():
        console.print(table)
    console.print(f"{seconds:.0f} s; report: {report}", highlight=False, soft_wrap=True)


class _Demo:
    """All parts of the demo: what each came to, and its last run, of which videos are shown.

    Args:
        out: folder of the demo.
        console: is told what has been run.
    """

    def __init__(self, out: Path, console: Console) -> None:
        self.out = out
        self.console = console
        self.closed: list[closed_set.Outcome] = []
        self.opened: list[open_set.Outcome] = []
        self.located: list[localization.Outcome] = []
        self.retrieved: list[retrieval.Outcome] = []
        self._said = time.monotonic()

    def run(self, seed: int) -> None:
        """Train and test every method once."""
        for method in closed_set.METHODS:
            outcome, self.short_videos = closed_set.run_method(method, seed, self.out)
            self.closed.append(outcome)
            self._say(seed, f"{method.title:<19} top-1 {outcome.top1:6.1%}")
        for row in open_set.METHODS:
            folds = open_set.run_method(row, seed, self.out)
            self.opened.extend(folds)
            hm = [fold.metrics["test/hm"] for fold in folds if fold.method is row]
            self._say(seed, f"open set, {row.key:<9} harmonic mean {sum(hm) / len(hm):6.1%}")
        located, self.long_videos = localization.run_method(seed, self.out)
        self.located.append(located)
        self._say(seed, f"localization        mAP@0.5 {located.metrics['test/clip_only/map@0.5']:4.1%}")
        retrieved, self.described_videos = retrieval.run_method(seed, self.out)
        self.retrieved.append(retrieved)
        self._say(seed, f"retrieval           R@1 {retrieved.metrics['test/t2v/r@1']:8.1%}")

    def _say(self, seed: int, what: str) -> None:
        """One line on what has just been run."""
        before, self._said = self._said, time.monotonic()
        self.console.print(f"seed {seed}  {what}   {self._said - before:5.1f} s", highlight=False)

    def rows(self) -> list[dict[str, str | int | float]]:
        """One a run and method, ready for JSON."""
        return [
            *closed_set.results(self.closed),
            *open_set.results(self.opened),
            *localization.results(self.located),
            *retrieval.results(self.retrieved),
        ]

    def tables(self) -> list[Table]:
        """For the terminal."""
        return [
            closed_set.table(self.closed),
            open_set.table(self.opened),
            localization.table(self.located),
            retrieval.table(self.retrieved),
        ]

    def lead(self, seeds: str, seconds: float) -> str:
        """HTML at the top of the report."""
        return (
            "<p>Naming what a short video shows, with one frozen CLIP that never saw a video. A single frame tells the "
            "shape, not whether it moves left or right: only a method that sees the order of the frames can.</p>"
            f'<p class="soft">{self.short_videos.datamodule.describe_protocol()} {seeds}, {seconds:.0f} s in all. '
            "Made by <code>prompt-video demo</code>.</p>"
        )

    def sections(self) -> list[tuple[str, str]]:
        """Of the report: heading and HTML."""
        first, *rest = closed_set.sections(self.closed, self.short_videos)
        return [
            first,
            open_set.section(self.opened),
            localization.section(self.located, self.long_videos),
            retrieval.section(self.retrieved, self.described_videos),
            *rest,
        ]
