"""``prompt-video features``: compute the frame features of an experiment's videos, and stop.

Several programs fill one store: started with --part 1/8 to --part 8/8, on machines that see one file system, each
computes videos that no other does. What is stored is not computed again, so one that was killed is started again.
"""

import re
from typing import TYPE_CHECKING

from data_modules.errors import InputError
from prompt_video.experiment.verb import ExperimentVerbParser

if TYPE_CHECKING:
    from prompt_video.experiment.cli import ExperimentCLI


def main(arguments: list[str]) -> "ExperimentCLI":
    """Same options as ``fit``."""
    options, rest = parser().parse_beside(arguments[1:])
    chosen = part(options.part)

    from prompt_video.experiment.cli import ExperimentCLI
    from prompt_video.experiment.cli import main as run_experiment

    class Features(ExperimentCLI):
        part = chosen

    return run_experiment(["fit", *rest, "--features_only=true"], Features)


def part(text: str) -> tuple[int, int]:
    """The third of eight, from ``3/8``.

    Raises:
        InputError: there is no such part.
    """
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count:
        raise InputError(f"--part must be from 1/N to N/N, such as 3/8, the third of eight parts, not {text}.")
    return number, count


def parser() -> ExperimentVerbParser:
    """The options."""
    parser = ExperimentVerbParser("features", __doc__)
    parser.add_argument(
        "--part", type=str, default="1/1", metavar="K/N", help="compute one of N parts of the videos, from 1/N to N/N"
    )
    return parser
