"""``prompt-video label``: what is to be seen in videos of one's own, in one's own words.

With a checkpoint its learned prompts and temporal encoder are used; without one the frozen CLIP with hand-written
prompts. A file that cannot be used is named, and the others go on; the exit code is then 1.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from data_modules.errors import BrokenVideoError, InputError
from prompt_video.inference.options import add_video_options, model_of, tell_cut_texts, texts_of
from prompt_video.io import console as logs
from prompt_video.io.outputs import check_file, save, write_json
from prompt_video.io.spreadsheet import write_table
from prompt_video.io.verb_parser import VerbParser
from prompt_video.io.video_files import files_of
from prompt_video.reports.text_formatting import class_text

if TYPE_CHECKING:
    from prompt_video.inference.results import VideoScores


def main(arguments: list[str]) -> int:
    """Score every file against every class.

    Returns:
        The exit code: 1 when a file could not be used.
    """
    options = parser().parse(arguments[1:])
    logs.configure()
    if options.top < 1:
        raise InputError(f"--top must be 1 or more, not {options.top}.")
    check_file(options.json, "--json")
    check_file(options.csv, "--csv")
    files = files_of(options.video)
    model = model_of(options)
    texts = texts_of(options, model.class_names)
    console = logs.Terminal()
    console.print(model.describe())
    results: list[VideoScores] = []
    broken: list[BrokenVideoError] = []
    for file in files:
        try:
            scores = model.score(file, texts)
        except BrokenVideoError as error:
            broken.append(error)
            console.print(f"cannot be used: {error.path}: {error.reason}")
            continue
        results.append(scores)
        console.print(_table(scores, options.top))
    tell_cut_texts(model)
    if broken:
        console.print(f"{len(broken)} of {len(files)} files cannot be used")
    content = _content(model.describe(), results, broken, options.top)
    are_saved = (
        save(options.json, lambda path: write_json(path, content), "all figures:"),
        save(options.csv, lambda path: _write_csv(path, results, options.top), "table:"),
    )
    return 0 if all(are_saved) and not broken else 1


def _table(scores: "VideoScores", top: int) -> Table:
    table = Table(title=str(scores.video), title_justify="left", title_style="bold")
    table.add_column("rank", justify="right")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right")
    table.add_column("similarity", justify="right")
    for rank, one in enumerate(scores.best(top), start=1):
        table.add_row(str(rank), class_text(one.text), f"{one.probability:.1%}", f"{one.similarity:.3f}")
    return table


def _content(model: str, results: list["VideoScores"], broken: list[BrokenVideoError], top: int) -> dict[str, Any]:
    videos: list[dict[str, Any]] = [
        {
            "video": str(scores.video),
            "duration_sec": scores.duration_sec,
            "best": [one._asdict() for one in scores.best(top)],
        }
        for scores in results
    ]
    unusable = [{"video": str(error.path), "reason": error.reason} for error in broken]
    return {"model": model, "videos": videos, "broken": unusable}


def _write_csv(path: Path, results: list["VideoScores"], top: int) -> None:
    rows = (
        (str(scores.video), rank, one.text, f"{one.probability:.6g}", f"{one.similarity:.6g}")
        for scores in results
        for rank, one in enumerate(scores.best(top), start=1)
    )
    write_table(path, ("video", "rank", "class", "probability", "similarity"), rows)


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("label", __doc__)
    add_video_options(parser)
    parser.add_argument("--top", type=int, default=5, help="classes to show of each video")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file to write the figures to")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="the same as a table")
    return parser
