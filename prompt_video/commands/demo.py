"""``prompt-video demo``: the method on the built-in worlds, tables and a report."""

import argparse
import json
import time
from pathlib import Path

from rich.console import Console

from data_modules.atomic import write_whole
from prompt_video.demo import closed_set, localization, open_set
from prompt_video.reporting import page


def main(arguments: list[str]) -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="prompt-video demo", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds to run each method with")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of results and report")
    options = parser.parse_args(arguments[1:])
    started = time.monotonic()
    console = Console()
    closed: list[closed_set.Outcome] = []
    opened: list[open_set.Outcome] = []
    located: list[localization.Outcome] = []
    for seed in range(options.seeds):
        for method in closed_set.METHODS:
            before = time.monotonic()
            outcome, cli = closed_set.run_method(method, seed, options.out)
            closed.append(outcome)
            _say(console, seed, f"{method.title:<19} top-1 {outcome.top1:6.1%}", before)
        for row in open_set.METHODS:
            before = time.monotonic()
            folds = open_set.run_method(row, seed, options.out)
            opened.extend(folds)
            hm = [fold.metrics["test/hm"] for fold in folds if fold.method is row]
            _say(console, seed, f"open set, {row.key:<9} harmonic mean {sum(hm) / len(hm):6.1%}", before)
        before = time.monotonic()
        run, long_videos = localization.run_method(seed, options.out)
        located.append(run)
        _say(console, seed, f"localization        mAP@0.5 {run.metrics['test/clip_only/map@0.5']:4.1%}", before)
    seconds = time.monotonic() - started
    rows = [*closed_set.results(closed), *open_set.results(opened), *localization.results(located)]
    text = json.dumps({"rows": rows, "seconds": round(seconds, 1)}, indent=2) + "\n"
    write_whole(options.out / "results.json", lambda partial: partial.write_text(text))
    report = options.out / "report.html"
    seeds = f"{options.seeds} seed{'s' if options.seeds > 1 else ''}"
    lead = (
        "<p>Naming what a short video shows, with one frozen CLIP that never saw a video. A single frame tells the "
        "shape, not whether it moves left or right: only a method that sees the order of the frames can.</p>"
        f'<p class="soft">{cli.datamodule.describe_protocol()} {seeds}, {seconds:.0f} s in all. '
        "Made by <code>prompt-video demo</code>.</p>"
    )
    first, *rest = closed_set.sections(closed, cli)
    sections = [first, open_set.section(opened), localization.section(located, long_videos), *rest]
    html = page.page("Prompting a frozen CLIP to understand video", lead, sections)
    write_whole(report, lambda partial: partial.write_text(html, encoding="utf-8"))
    console.print(closed_set.table(closed))
    console.print(open_set.table(opened))
    console.print(localization.table(located))
    console.print(f"{seconds:.0f} s; report: {report}", highlight=False, soft_wrap=True)


def _say(console: Console, seed: int, what: str, before: float) -> None:
    console.print(f"seed {seed}  {what}   {time.monotonic() - before:5.1f} s", highlight=False)
