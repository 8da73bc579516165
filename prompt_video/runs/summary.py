"""The last thing a run prints: its figures, where everything is, and what was lost on the way."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data_modules.ledger import BrokenLedger

NAMED = 5  # broken videos that are named on the terminal; the ledger names all


def print_summary(folder: Path, results: dict[str, Any], ledger: BrokenLedger) -> None:
    """Print metrics, protocol, and the videos that were dropped."""
    console = Console()
    console.rule(folder.parent.name, align="left")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right", style="bold")
    for name, value in sorted(results["metrics"].items()):
        if name.startswith(("test/", "val/")):
            table.add_row(name, f"{value:.4f}")
    console.print(table)
    console.print(results.get("protocol", ""), style="dim", highlight=False)
    for split, videos in ledger.dropped.items():
        if not videos:
            continue
        console.print(
            f"[yellow]{len(videos)} of {ledger.totals.get(split, 0)} {split} videos could not be used:[/yellow]"
        )
        for video in list(videos.values())[:NAMED]:
            console.print(f"  {video.path}: {video.reason}", highlight=False, soft_wrap=True)
        if len(videos) > NAMED:
            console.print(f"  ... all in {ledger.path}", highlight=False, soft_wrap=True)
    console.print(f"run folder: {folder}", highlight=False, soft_wrap=True)
