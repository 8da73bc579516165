"""``prompt-video dry-run``: run an experiment, all of it, on a made-up miniature of its data, with the tiny CLIP.

For whoever has no data yet: it shows that the experiment works and what it leaves behind. Its figures mean nothing.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_video.experiment.verb import ExperimentVerbParser
from prompt_video.io import console

if TYPE_CHECKING:
    from prompt_video.experiment.cli import ExperimentCLI

log = logging.getLogger(__name__)

SMALL = (
    "--data.batch_size=4",
    "--data.num_workers=0",
    "--model.backbone=tiny",
    "--model.backbone_dtype=float32",
    "--trainer.accelerator=cpu",
    "--trainer.devices=1",
    "--trainer.num_nodes=1",
    "--trainer.strategy=auto",
    "--trainer.precision=32-true",
    "--trainer.max_epochs=1",
    "--wandb=disabled",
    "--run_folder=null",
)


def main(arguments: list[str]) -> "ExperimentCLI":
    """Run one experiment on a miniature of its data."""
    options, rest = parser().parse_beside(arguments[1:])

    from prompt_video.experiment.cli import main as run_experiment
    from prompt_video.experiment.settings import read_settings
    from prompt_video.preflight.dry_run import make_miniature, open_folder

    console.configure()
    settings = read_settings(rest)
    folder: Path = options.out or settings.runs / "dry-run" / settings.name
    log.info(
        "DRY RUN of %s with made-up videos in %s and the tiny CLIP: its figures are no results", settings.name, folder
    )
    open_folder(folder)
    miniature = make_miniature(settings, folder / "data")
    places = [f"--data.features_root={folder / 'features'}", f"--runs={folder / 'runs'}", f"--name={settings.name}"]
    if settings.settings["data"]["init_args"]["features"] != "off":
        places.append("--data.features=auto")
    return run_experiment(["fit", *rest, *SMALL, *miniature, *places])


def parser() -> ExperimentVerbParser:
    """The options."""
    parser = ExperimentVerbParser(
        "dry-run",
        __doc__,
        epilog="All else is as for `prompt-video fit`, whose options may stand here, but those that make the run "
        "small.",
    )
    parser.add_argument("--out", type=Path, help="folder of videos and run (default: runs/dry-run/<experiment>)")
    return parser
