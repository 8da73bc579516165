"""``prompt-video bench``: every ratio the project promises, each measured interleaved in one run."""

from pathlib import Path

from data_modules.errors import InputError
from prompt_video.io.verb_parser import VerbParser

try:
    from prompt_video.bench.parts import PARTS
except ModuleNotFoundError:  # it is no part of the installed package
    PARTS = ()  # type: ignore[assignment]


def main(arguments: list[str]) -> None:
    """Measure, print and write the ratios."""
    if not PARTS:
        raise InputError("bench is a part of the repository alone: run `make bench` in a checkout of it.")
    options = parser().parse(arguments[1:])
    out: Path = options.out or Path("runs/bench", "quick.json" if options.quick else "results.json")

    from prompt_video.bench.program import run

    run(options.only, out, options.device, quick=options.quick)


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("bench", __doc__)
    about = f"measure these alone (default: all): {', '.join(PARTS)}"
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), metavar="PART", help=about)
    parser.add_argument("--quick", action="store_true", help="small sizes: two minutes in all on two cores")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: a GPU where one is")
    parser.add_argument(
        "--out", type=Path, help="file of results (default: runs/bench/results.json, or with --quick quick.json)"
    )
    return parser
