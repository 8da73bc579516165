"""Experiments of the demo, run one by one."""

import os
from pathlib import Path

from data_modules.errors import InputError
from prompt_video.experiment import ExperimentCLI
from prompt_video.experiment import main as run_experiment


def run(experiment: str, seed: int, out: Path, method: str | None = None) -> ExperimentCLI:
    """Train and test one experiment.

    Args:
        experiment: name of its file.
        seed: of the run.
        out: folder of the demo.
        method: of ``experiments/parts/demo_methods``, in the place of the experiment's own.
    """
    os.environ.setdefault("WANDB_MODE", "offline")
    folder = experiments_folder()
    model = [f"--model={folder / 'parts' / 'demo_methods' / method}.yaml"] if method else []
    return run_experiment(
        [
            "fit",
            f"--config={folder / experiment}.yaml",
            *model,
            f"--seed_everything={seed}",
            f"--runs={out / 'runs'}",
            "--wandb=disabled",
            "--quiet=true",
        ]
    )


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


def figure(mean: float, spread: float | None) -> str:
    """A share as a person reads it."""
    return f"{mean:.1%}" if spread is None else f"{mean:.1%} ± {spread:.1%}"
