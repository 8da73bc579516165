"""``prompt-video table``: run a table, all its methods, settings and seeds, and write it beside published figures.

NAME is a packaged table, such as hmdb51_closed_ablation (`prompt-video list tables`), or a YAML of one's own. What has
been run with the same settings is not run again; what was cut off goes on from its last checkpoint; a row that fails
does not stop the others. The table is written as a page, Markdown, CSV and LaTeX.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from data_modules.errors import InputError
from prompt_video.experiment.packaged import packaged
from prompt_video.experiment.tables.plan import read_seeds
from prompt_video.experiment.tables.table_file import read_table
from prompt_video.experiment.verb import ExperimentVerbParser
from prompt_video.io import console as logs


def main(arguments: list[str]) -> int:
    """Run a table.

    Returns:
        The exit code: 1 when a run failed.
    """
    options, rest = parser().parse_beside(arguments[1:])
    if options.table is None:
        raise InputError(f"name a table first, one of {', '.join(packaged('table'))}, or a YAML of your own.")
    if named := next((word for word in rest if word.partition("=")[0] in ("--config", "--seed_everything")), None):
        raise InputError(f"{named}: a table names its experiments and seeds itself; --seeds takes other seeds.")

    plan = read_table(options.table)
    rest = [f"{word}={value}" if value else word for word, value in _pairs(rest)]
    plan = replace(plan, rows=[replace(row, options=[*row.options, *rest]) for row in plan.rows])
    if options.seeds is not None:
        plan = replace(plan, seeds=read_seeds(options.seeds))

    from prompt_video.experiment.tables.results import run_and_write

    logs.configure()
    runs: Path = options.runs
    if options.dry_run:
        from prompt_video.preflight.dry_run import on_miniatures

        runs = runs / "dry-run"
        plan = on_miniatures(plan if options.seeds else replace(plan, seeds=plan.seeds[:1]), runs / "data")
    return run_and_write(replace(plan, command=shlex.join(["prompt-video", *arguments])), runs)


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, where those are words of their own."""
    for word, following in zip_longest(words, words[1:], fillvalue="--"):
        if word.startswith("--"):
            yield word, "" if following.startswith("--") else following


def parser() -> ExperimentVerbParser:
    """The options."""
    parser = ExperimentVerbParser("table", __doc__)
    parser.add_argument("table", nargs="?", type=Path, metavar="NAME", help="of the table, or its YAML")
    parser.add_argument("--seeds", type=str, help="how many, or which ones: 3, or 0,1,2 (default: the table's)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for run folders and tables")
    parser.add_argument(
        "--dry_run",
        action="store_true",
        help="on made-up miniatures of the data, one seed unless --seeds says otherwise: no data needed",
    )
    return parser
