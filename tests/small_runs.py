"""Small runs through the command line, and what they leave behind: for tests whose experiments are their own."""

import csv
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data_modules.synthetic.rendering import render, write_mp4
from prompt_video.cli import main


def three_classes(root: Path, count: int) -> Path:
    """Fill a folder with so many rendered videos of each class, two of the same shape and two of the same motion."""
    for shape, motion in (("star", "moving left"), ("star", "spinning"), ("cross", "moving left")):
        for number in range(count):
            write_mp4([render(shape, motion, number).frames], root / f"{shape} {motion}" / f"{number}.mp4")
    return root


def arguments(config: Path, verb: str, folder: Path, *options: str) -> list[str]:
    """The words of a quiet run in a folder of its own."""
    common = ["--config", str(config), "--run_folder", str(folder), "--wandb", "disabled", "--quiet", "true"]
    return [verb, *common, *options]


def run(config: Path, verb: str, folder: Path, *options: str, rc: int = 0) -> dict[str, Any]:
    """Run a verb; gives what results.json says, if there is one."""
    assert main(arguments(config, verb, folder, *options)) == rc
    return results_of(folder) if (folder / "results.json").exists() else {}


def results_of(folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return results


def metrics(folder: Path, beginning: str = "test/") -> dict[str, float]:
    return {name: value for name, value in results_of(folder)["metrics"].items() if name.startswith(beginning)}


def weights(folder: Path, name: str = "last") -> dict[str, Tensor]:
    """The learned weights in a run's checkpoint."""
    return weights_in(folder / "checkpoints" / f"{name}.ckpt")


def weights_in(path: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return state


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
