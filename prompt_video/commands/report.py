"""``prompt-video report``: runs side by side in one file, with published figures beside them.

RUN is the folder of a run, or a folder that holds some at any depth, such as runs/. Runs of one experiment and method
whose settings differ by the seed only are one row, with mean and spread.
"""

import argparse
from pathlib import Path

from data_modules.atomic import write_whole
from data_modules.errors import InputError
from prompt_video.comparison.document import document
from prompt_video.comparison.html import html
from prompt_video.comparison.markdown import markdown
from prompt_video.comparison.rows import rows_of
from prompt_video.comparison.runs import collect
from prompt_video.runs import console


def main(arguments: list[str]) -> None:
    """Write a report."""
    parser = argparse.ArgumentParser(
        prog="prompt-video report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run, or one that holds some")
    parser.add_argument("--markdown", action="store_true", help="the same tables as Markdown")
    parser.add_argument("--out", type=Path, metavar="FILE", help="to write (default: runs/report.html or report.md)")
    options = parser.parse_args(arguments[1:])
    console.configure()
    runs, unread = collect(options.runs)
    rows, older = rows_of(runs)
    report = document(rows, [*unread, *older])
    path: Path = options.out or Path("runs") / ("report.md" if options.markdown else "report.html")
    if path.is_dir():
        raise InputError(f"--out {path} is a folder: name a file in it.")
    text = markdown(report) if options.markdown else html(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8", errors="backslashreplace"))
    experiments = len(report.experiments)
    left = f"; {len(report.left_out)} left out, named at its end" if report.left_out else ""
    print(f"report: {_counted(report.num_runs, 'run')} of {_counted(experiments, 'experiment')}{left}: {path}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
