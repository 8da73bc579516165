"""``prompt-video label``: what is to be seen in videos of one's own, in one's own words.

With a checkpoint its learned prompts and temporal encoder are used; without one the frozen CLIP with hand-written
prompts. A file that cannot be used is named, and the others go on; the exit code is then 1.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from data_modules.atomic import write_whole
from data_modules.errors import BrokenVideoError, InputError
from prompt_video.commands.own_input import (
    add_arguments,
    files_of,
    model_of,
    shown_text,
    tell_cut_texts,
    texts_of,
)
from prompt_video.inference.results import VideoScores
from prompt_video.reporting.lettering import shown_name
from prompt_video.runs import console as logs


def main(arguments: list[str]) -> int:
    """Score every file against every class.

    Returns:
        The exit code: 1 when a file could not be used.
    """
    options = _parser().parse_args(arguments[1:])
    logs.configure()
    if options.top < 1:
        raise InputError(f"--top must be 1 or more, not {options.top}.")
    files = files_of(options.video)
    model = model_of(options)
    texts = texts_of(options, model)
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(model.describe())
    found: list[VideoScores] = []
    broken: list[BrokenVideoError] = []
    for file in files:
        try:
            scores = model.score(file, texts)
        except BrokenVideoError as error:
            broken.append(error)
            console.print(f"cannot be used: {shown_name(error.path)}: {error.reason}")
            continue
        found.append(scores)
        console.print(_table(scores, options.top))
    tell_cut_texts(model)
    if broken:
        console.print(f"{len(broken)} of {len(files)} files cannot be used")
    if options.json:
        _write_json(options.json, model.describe(), found, broken, options.top)
        console.print(f"all figures: {options.json}")
    if options.csv:
        _write_csv(options.csv, found, options.top)
        console.print(f"table: {options.csv}")
    return 1 if broken else 0


def _table(scores: VideoScores, top: int) -> Table:
    table = Table(title=Text(shown_name(scores.video)), title_justify="left", title_style="bold")
    table.add_column("rank", justify="right")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right")
    table.add_column("similarity", justify="right")
    for rank, one in enumerate(scores.best(top), start=1):
        table.add_row(str(rank), shown_text(one.text), f"{one.probability:.1%}", f"{one.similarity:.3f}")
    return table


def _write_json(path: Path, model: str, found: list[VideoScores], broken: list[BrokenVideoError], top: int) -> None:
    videos: list[dict[str, Any]] = [
        {
            "video": str(scores.video),
            "duration_sec": scores.duration_sec,
            "best": [one._asdict() for one in scores.best(top)],
        }
        for scores in found
    ]
    unusable = [{"video": str(error.path), "reason": error.reason} for error in broken]
    text = json.dumps({"model": model, "videos": videos, "broken": unusable}, indent=2) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def _write_csv(path: Path, found: list[VideoScores], top: int) -> None:
    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(("video", "rank", "class", "probability", "similarity"))
            for scores in found:
                for rank, one in enumerate(scores.best(top), start=1):
                    row = (f"{one.probability:.6g}", f"{one.similarity:.6g}")
                    writer.writerow((str(scores.video), rank, one.text, *row))

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, write)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="prompt-video label",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(parser)
    parser.add_argument("--top", type=int, default=5, help="classes to show of each video (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file to write the figures to")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="the same as a table")
    return parser
