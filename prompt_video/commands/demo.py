"""``prompt-video demo``: the method on the built-in worlds, tables and a report."""

import time
from pathlib import Path
from typing import get_args

from rich.console import Console

from data_modules.errors import InputError
from data_modules.files.json_files import write_json
from prompt_video.demo.sizes import Size
from prompt_video.io.verb_parser import VerbParser


def main(arguments: list[str]) -> None:
    """Run the demo."""
    options = parser().parse(arguments[1:])
    if options.seeds < 1:
        raise InputError(f"--seeds must be 1 or more, not {options.seeds}.")

    from prompt_video.demo.program import Demo
    from prompt_video.reports.html import write_page

    started = time.monotonic()
    console = Console()
    demo = Demo(options.out, options.size, options.seeds, console)
    demo.run()
    seconds = time.monotonic() - started
    write_json(options.out / "results.json", {"rows": demo.rows(), "seconds": round(seconds, 1)})
    report = options.out / "report.html"
    write_page(report, demo.document(seconds))
    for table in demo.tables():
        console.print(table)
    console.print(f"{time.monotonic() - started:.0f} s; report: {report}", highlight=False, soft_wrap=True)


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("demo", __doc__)
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds to run each method with")
    parser.add_argument(
        "--size",
        choices=get_args(Size),
        default="small",
        help="small worlds and few steps, or the experiments as they stand in their files (several times as long)",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of results and report")
    return parser
