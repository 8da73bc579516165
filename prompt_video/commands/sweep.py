"""``prompt-video sweep``: run every point of a wandb sweep file on this machine, without wandb's agent.

FILE is a sweep file with the method ``grid``, or the name of a packaged one, such as prompt_length (``prompt-video list
sweeps``). Points that have been run with the same settings are not run again; one that was cut off goes on from its
last checkpoint. It ends with a table and a chart: the figure against the setting, with its spread over --seeds, and
published figures beside.
"""

import shlex
from dataclasses import replace
from pathlib import Path

from data_modules.errors import InputError
from prompt_video.experiment.tables.plan import read_seeds
from prompt_video.experiment.tables.sweep_file import read_sweep
from prompt_video.experiment.verb import ExperimentVerbParser
from prompt_video.io import console as logs


def main(arguments: list[str]) -> int:
    """Run a sweep.

    Returns:
        The exit code: 1 when a run failed.
    """
    options, rest = parser().parse_beside(arguments[1:])
    if options.sweep is None:
        raise InputError("name the sweep file first: prompt-video sweep prompt_length --config …")

    sweep, seeds = read_sweep(options.sweep), read_seeds(options.seeds) if options.seeds else None

    from prompt_video.experiment.settings import read_settings
    from prompt_video.experiment.tables.results import run_and_write

    logs.configure()
    settings = read_settings(rest)
    seeds = seeds or (int(settings.settings["seed_everything"]),)
    monitor = (settings.settings["monitor"] or settings.task().monitor).replace("val/", "test/", 1)
    plan = sweep.plan(settings.name, rest, seeds, monitor)
    plan, runs = replace(plan, command=shlex.join(["prompt-video", *arguments])), settings.runs
    if options.dry_run:
        from prompt_video.preflight.dry_run import on_miniatures

        runs = runs / "dry-run"
        plan = on_miniatures(plan, runs / "data")
    return run_and_write(plan, runs)


def parser() -> ExperimentVerbParser:
    """The options."""
    parser = ExperimentVerbParser("sweep", __doc__)
    parser.add_argument("sweep", nargs="?", type=Path, metavar="FILE", help="sweep file of wandb, or a packaged name")
    parser.add_argument("--dry_run", action="store_true", help="on made-up miniatures of the data: no data needed")
    parser.add_argument("--seeds", type=str, help="how many, or which ones: 3, or 0,1,2 (default: --seed_everything)")
    return parser
