"""``prompt-video sweep``: run every point of a wandb sweep file on this machine, without wandb's agent.

FILE is a sweep file with the method ``grid``, such as the packaged prompt_length. Points that have been run
with the same settings are not run again; one that was cut off goes on from its last checkpoint.
"""

import logging
from pathlib import Path

from data_modules.errors import InputError
from prompt_video.experiment.tables.sweep_file import read_sweep
from prompt_video.experiment.verb import ExperimentVerbParser
from prompt_video.io import console as logs

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Run a sweep.

    Returns:
        The exit code: 1 when a point failed.
    """
    options, rest = parser().parse_beside(arguments[1:])
    if options.sweep is None:
        raise InputError("name the sweep file first: prompt-video sweep prompt_length --config …")

    sweep = read_sweep(options.sweep)

    from prompt_video.experiment.settings import read_settings
    from prompt_video.experiment.tables.results import metric_of, results_table, write_results
    from prompt_video.experiment.tables.running import place, run_points

    logs.configure()
    settings = read_settings(rest)
    if settings.settings["run_folder"] is not None:
        raise InputError(
            "a sweep gives each of its runs a folder of its own: take --runs in the place of --run_folder."
        )
    folder = settings.runs / "sweeps" / f"{settings.name}_{sweep.name}"
    outcomes = run_points(place(sweep, rest, folder), rest)
    monitor = settings.settings["monitor"] or settings.task().monitor
    metric = metric_of(outcomes, sweep.metric, f"test/{monitor.removeprefix('val/')}")
    write_results(folder, metric, outcomes)
    console = logs.Terminal()
    console.print(results_table(metric, outcomes))
    console.print(f"all figures: {folder / 'results.csv'}")
    failed = [outcome.point.name for outcome in outcomes if not outcome.is_done]
    if failed:
        log.warning("%d of %d points failed: %s", len(failed), len(outcomes), ", ".join(failed))
    return 1 if failed else 0


def parser() -> ExperimentVerbParser:
    """The options."""
    parser = ExperimentVerbParser("sweep", __doc__)
    parser.add_argument(
        "sweep",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="sweep file of wandb, or the name of a packaged one: prompt_length",
    )
    return parser
