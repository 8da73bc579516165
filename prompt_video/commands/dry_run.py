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


def main(arguments: list[str]) -> "ExperimentCLI":
    """Run one experiment on a miniature of its data."""
    options, rest = parser().parse_beside(arguments[1:])

    from prompt_video.experiment.cli import main as run_experiment
    from prompt_video.experiment.settings import read_settings
    from prompt_video.preflight.dry_run import dry_run_options, open_folder

    console.configure()
    settings = read_settings(rest)
    folder: Path = options.out or settings.runs / "dry-run" / settings.name
    log.info(
        "DRY RUN of %s with made-up videos in %s and the tiny CLIP: its figures are no results", settings.name, folder
    )
    open_folder(folder)
    small = dry_run_options(settings, folder)
    return run_experiment(["fit", *rest, *small, f"--runs={folder / 'runs'}", "--run_folder=null"])


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
