"""``prompt-video report``: runs side by side in one file, with published figures beside them.

RUN is the folder of a run, or a folder that holds some at any depth, such as runs/. Runs of one experiment and method
whose settings differ by the seed only are one row, with mean and spread.
"""

from functools import partial
from pathlib import Path

from data_modules.files.atomic import write_whole
from prompt_video.io import console
from prompt_video.io.outputs import check_file, save
from prompt_video.io.verb_parser import VerbParser
from prompt_video.reports.comparison.html import html
from prompt_video.reports.comparison.markdown import markdown
from prompt_video.reports.comparison.report_model import report_model
from prompt_video.reports.comparison.rows import rows_of
from prompt_video.reports.comparison.runs import collect


def main(arguments: list[str]) -> int:
    """Write a report.

    Returns:
        The exit code: 1 when it is not where it should be.
    """
    options = parser().parse(arguments[1:])
    console.configure()
    path: Path = options.out or Path("runs") / ("report.md" if options.markdown else "report.html")
    check_file(path, "--out")
    runs, unread = collect(options.runs)
    rows, older = rows_of(runs)
    report = report_model(rows, [*unread, *older])
    text = markdown(report) if options.markdown else html(report)
    experiments = len(report.experiments)
    left = f"; {len(report.left_out)} left out, named at its end" if report.left_out else ""
    said = f"report: {_counted(report.num_runs, 'run')} of {_counted(experiments, 'experiment')}{left}:"
    return 0 if save(path, partial(_write, text), said) else 1


def _write(text: str, path: Path) -> None:
    write_whole(path, lambda whole: whole.write_text(text, encoding="utf-8", errors="backslashreplace"))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("report", __doc__)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run, or one that holds some")
    parser.add_argument("--markdown", action="store_true", help="the same tables as Markdown")
    parser.add_argument("--out", type=Path, metavar="FILE", help="to write (default: runs/report.html or report.md)")
    return parser
