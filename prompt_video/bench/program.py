"""Every ratio the project promises, each measured interleaved in one run; printed, and written to a file."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from data_modules.errors import InputError
from data_modules.files.json_files import write_json
from prompt_video.bench.measure import prepare_processes
from prompt_video.bench.parts import load
from prompt_video.bench.plan import Figures, Setting
from prompt_video.bench.running import Runner
from prompt_video.experiment.environment import processor_name
from prompt_video.io.tables import new_table


def run(parts: Sequence[str], out: Path, device_name: str, *, quick: bool) -> None:
    """Measure, print and write the ratios.

    Args:
        parts: names of those that are measured; the others keep what the file says of them.
        out: file of results.
        device_name: ``auto``, ``cpu`` or ``cuda``.
        quick: whether at small sizes.

    Raises:
        InputError: when there is no such device.
    """
    device = _device(device_name)
    console = Console()
    results: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    results["machine"] = machine(device)
    out.parent.mkdir(parents=True, exist_ok=True)
    prepare_processes()
    measurements = load(parts)
    with TemporaryDirectory() as folder:
        for part, figures in Runner(Setting(device, Path(folder)), quick, console).run(measurements):
            results[part] = figures
            write_json(out, results)
            console.print(table(part, figures))
            for note in figures["notes"]:
                console.print(f"  {note}", highlight=False, soft_wrap=True)
    console.print(f"results: {out}")


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no GPU here.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures hold for."""
    return {
        "processor": processor_name(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "platform": platform.platform(),
    }


def table(part: str, figures: Figures) -> Table:
    """A part's figures, each with the lowest and the highest of its rounds."""
    shown = new_table(part.replace("_", " "))
    shown.show_header = False
    for name, value in figures.items():
        if isinstance(value, dict):
            for key in value:
                _add_row(shown, f"{name} {key}", value, key)
        elif name not in ("notes", "device", "quick"):
            _add_row(shown, name, figures, name)
    return shown


def _add_row(shown: Table, label: str, figures: Figures, name: str) -> None:
    value, lowest_highest = figures[name], figures.get(f"{name}_range")
    if not name.endswith("_range"):
        spread = f"{lowest_highest[0]:.3f} to {lowest_highest[1]:.3f}" if lowest_highest else ""
        shown.add_row(label, f"{value:.3f}" if isinstance(value, float) else str(value), spread)
