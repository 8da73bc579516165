"""The last thing a run prints: its figures, where everything is, and what was lost on the way."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from data_modules.loading.dropped_videos import DroppedVideos
from data_modules.modules.base import VideoDataModule
from prompt_video.io.console import Terminal
from prompt_video.io.run_files import BEST, CHECKPOINTS, LAST, LEARNED, REPORT, TRIALS
from prompt_video.io.tables import new_table
from prompt_video.reports.controls import control_sentences

MAIN = re.compile(r"top1|videos$|hm|map$|map_avg|map@0\.5$|ar@100|auc|r@|median")  # begins the main ones
MANY = 10  # figures; of more the finer ones are left to results.json
TOLD = 2  # sentences on controls; the report has all
NAMED = 5  # broken videos that are named on the terminal; the file names all


def summarize(folder: Path, results: dict[str, Any], data: VideoDataModule, task: str, tested: str | None) -> None:
    """Print what a run came to, and what one may type next.

    Args:
        folder: of the run.
        results: as ``results.json`` has them.
        data: of the run.
        task: the name of its class.
        tested: the checkpoint that was tested, where the run learned nothing itself.
    """
    trials = sorted(folder.glob(f"{TRIALS}/*/{LEARNED}"))
    own = [folder / CHECKPOINTS / BEST, folder / CHECKPOINTS / LAST, *trials]
    learned = next((path for path in own if path.is_file()), None)
    used = learned or (Path(tested) if tested else None)
    commands = commands_for(used, task, _test_video(data)) if used else []
    print_summary(folder, results, data.dropped_videos, learned, commands if learned else commands[1:])


def _test_video(data: VideoDataModule) -> Path | None:
    """One that is there to try a model on."""
    of_tests = (records for name, records in data.videos().items() if name not in ("train", "val"))
    return next((records[0].path for records in of_tests if records and records[0].path.is_file()), None)


def print_summary(
    folder: Path,
    results: dict[str, Any],
    dropped_videos: DroppedVideos,
    checkpoint: Path | None = None,
    next_commands: Sequence[str] = (),
) -> None:
    """Print metrics, protocol, the videos that were dropped, and how to use what was learned.

    Args:
        folder: of the run.
        results: as ``results.json`` has them.
        dropped_videos: of the run.
        checkpoint: with what was learned; None where nothing was.
        next_commands: see `commands_for`.
    """
    console = Terminal(soft_wrap=False)
    console.rule(folder.parent.name, align="left")
    console.print(_figures(results["metrics"], results.get("confidence", {})))
    for sentence in control_sentences(results)[:TOLD]:
        console.print(sentence)
    console.print(results.get("protocol", ""), style="dim")
    console.print(results.get("model", ""), style="dim")
    for split, videos in dropped_videos.dropped.items():
        if not videos:
            continue
        count = f"{len(videos)} of {dropped_videos.totals.get(split, 0)}"
        console.print(f"{count} {split} videos could not be used:", style="bold")
        for video in list(videos.values())[:NAMED]:
            console.print(f"  {video.path}: {video.reason}", soft_wrap=True)
        if len(videos) > NAMED:
            console.print(f"  ... all in {dropped_videos.path}", soft_wrap=True)
    console.print(f"run folder: {folder}", soft_wrap=True)
    if (folder / REPORT).is_file():
        console.print(f"report: {folder / REPORT}", soft_wrap=True)
    if checkpoint is not None:
        console.print(f"checkpoint: {checkpoint}", soft_wrap=True)
    for command in next_commands:
        console.print(f"  {command}", soft_wrap=True, highlight=False)


def commands_for(checkpoint: Path, task: str, video: Path | None) -> list[str]:
    """What one may type next: test the learned weights again, and use them on other videos.

    Args:
        checkpoint: with the learned weights.
        task: the name of its class.
        video: of the data, to try them on; None: none is there.
    """
    path, shown = shlex.quote(str(checkpoint)), shlex.quote(str(video or "MY_VIDEO.mp4"))
    folder = shlex.quote(str(video.parent)) if video else "MY_VIDEOS"
    own = {
        "LocalizationTask": f"prompt-video segment {shown} --ckpt {path}",
        "RetrievalTask": f"prompt-video index {folder} --ckpt {path} --out my_index",
    }
    label = f"prompt-video label {shown} --ckpt {path}"
    return [f"prompt-video test --ckpt {path}", own.get(task, label)]


def _figures(metrics: Mapping[str, float], confidence: Mapping[str, Any]) -> Table:
    """One line a figure, the frozen backbone's beside it; of many tests the main figures only."""
    names = [name for name in sorted(metrics) if name.startswith(("test/", "val/")) and "frozen_" not in name]
    if len(names) > MANY:
        names = [name for name in names if MAIN.match(name.rpartition("/")[2])]
    table = new_table()
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    table.add_column("zero-shot", justify="right", style="dim")
    for name in names:
        folder, _, figure = name.rpartition("/")
        frozen = metrics.get(f"{folder}/frozen_{figure}")
        beside = "" if frozen is None else f"{frozen:.4f}"
        told = f"{metrics[name]:,.0f}" if name.endswith("/videos") else f"{metrics[name]:.4f}"
        table.add_row(name, told, _spread(confidence.get(name)), beside)
    return table


def _spread(confidence: dict[str, Any] | None) -> str:
    """The spread over trials, as pages give it."""
    if confidence is None or confidence["trials"] < 2:
        return ""
    return f"± {confidence['std']:.4f} (std over {confidence['trials']} trials)"
