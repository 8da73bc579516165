"""``prompt-video report``: runs side by side in one file, with published figures beside them.

RUN is the folder of a run, or a folder that holds some at any depth, such as runs/. Runs of one experiment and method
whose settings differ by the seed only are one row, with mean and spread.
"""

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prompt_video.io import console
from prompt_video.io.outputs import check_file, save
from prompt_video.io.verb_parser import VerbParser
from prompt_video.reports.comparison.report_model import report
from prompt_video.reports.comparison.rows import rows_of
from prompt_video.reports.comparison.runs import collect
from prompt_video.reports.document import Document
from prompt_video.reports.exports import csv_text, latex, markdown
from prompt_video.reports.html import html, write_text

FORMS: dict[str, Callable[[Document], str]] = {".md": markdown, ".tex": latex, ".csv": csv_text}  # others are pages


def main(arguments: list[str]) -> int:
    """Write a report.

    Returns:
        The exit code: 1 when it is not where it should be.
    """
    options = parser().parse(arguments[1:])
    console.configure()
    path: Path = options.out or Path("runs") / ("report.md" if options.markdown else "report.html")
    check_file(path, "--out")
    form = FORMS.get(".md" if options.markdown else path.suffix.lower())
    runs, unread = collect(options.runs)
    rows, older = rows_of(runs)
    left_out = [*unread, *older]
    document = report(rows, left_out, shlex.join(["prompt-video", "report", *arguments[1:]]))
    left = f"; {len(left_out)} left out, named at its end" if left_out else ""
    told = sum(len(row.runs) for of_name in rows.values() for row in of_name)
    said = f"report: {_counted(told, 'run')} of {_counted(len(rows), 'experiment')}{left}:"
    return 0 if save(path, partial(_write, document, form), said) else 1


def _write(document: Document, form: Callable[[Document], str] | None, path: Path) -> None:
    write_text(path, form(document) if form else html(document, path.parent))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("report", __doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run, or one that holds some")
    parser.add_argument("--markdown", action="store_true", help="the same tables as Markdown, as with --out FILE.md")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="to write (default: runs/report.html): a page .html, Markdown .md, tables for LaTeX .tex, figures .csv",
    )
    return parser
