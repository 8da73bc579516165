"""``prompt-video bench``: every ratio the project promises, each measured interleaved in one run."""

import argparse
import importlib
import json
import os
import platform
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from prompt_video.runs.environment import processor_name

PARTS = (
    "text_path",
    "gradient_cache",
    "trials",
    "encoder",
    "decode",
    "store",
    "extraction",
    "detections",
    "retrieval_metrics",
    "search",
    "shared_clip",
)


def main(arguments: list[str]) -> None:
    """Measure, print and write the ratios."""
    parser = argparse.ArgumentParser(prog="prompt-video bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="measure these alone")
    parser.add_argument("--out", type=Path, default=Path("runs/bench/results.json"), help="file of results")
    options = parser.parse_args(arguments[1:])
    console = Console()
    # Parts that are not measured this time keep what the file says of them.
    results: dict[str, Any] = json.loads(options.out.read_text()) if options.out.exists() else {}
    results["machine"] = {
        "processor": processor_name(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "platform": platform.platform(),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for part in options.only:
        results[part] = importlib.import_module(f"prompt_video.bench.{part}").run()
        options.out.write_text(json.dumps(results, indent=2) + "\n")
        console.print(_table(part, results[part]))
    console.print(f"results: {options.out}")


def _table(part: str, figures: dict[str, Any]) -> Table:
    table = Table(title=part.replace("_", " "), title_justify="left", box=None, pad_edge=False, show_header=False)
    for name, value in figures.items():
        for key, figure in value.items() if isinstance(value, dict) else [("", value)]:
            shown = f"{figure:.3f}" if isinstance(figure, float) else str(figure)
            table.add_row(f"{name} {key}".strip(), shown)
    return table
