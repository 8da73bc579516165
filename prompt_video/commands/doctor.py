"""``prompt-video doctor``: check everything that an experiment will use, before it runs."""

import os
from pathlib import Path

from data_modules.errors import InputError
from prompt_video.experiment.verb import ExperimentVerbParser
from prompt_video.io import console
from prompt_video.io.outputs import check_file, save


def main(arguments: list[str]) -> int:
    """Examine one experiment.

    Returns:
        The exit code: 1 when something is in the way of the run.
    """
    options, rest = parser().parse_beside(arguments[1:])
    if options.samples < 1 or options.num_workers < 0:
        raise InputError("--samples must be 1 or more, and --num_workers 0 or more.")

    from prompt_video.experiment.settings import read_settings
    from prompt_video.preflight.examination import examine
    from prompt_video.preflight.report import outcome_of, print_report, verdict_of, write_report

    console.configure()
    settings = read_settings(rest)
    path = options.out or settings.runs / "doctor" / f"{settings.name}.json"
    check_file(path, "--out")
    examination = examine(
        settings, options.decode, options.samples, options.num_workers, show_progress=not settings.settings["quiet"]
    )
    print_report(examination)
    said = f"{outcome_of(examination)}; everything that was found:"
    is_saved = save(path, lambda place: write_report(examination, options.decode, place), said)
    return 0 if is_saved and verdict_of(examination) != "error" else 1


def parser() -> ExperimentVerbParser:
    """The options."""
    parser = ExperimentVerbParser("doctor", __doc__)
    parser.add_argument(
        "--decode",
        choices=("all", "sample", "none"),
        default="all",
        help="videos to open: all, some of each class, or none",
    )
    parser.add_argument("--samples", type=int, default=3, help="with `sample`: videos of each class of each part")
    parser.add_argument(
        "--num_workers", type=int, default=min(os.cpu_count() or 1, 16), help="processes that open videos"
    )
    parser.add_argument("--out", type=Path, help="JSON file to write (default: runs/doctor/<experiment>.json)")
    return parser
