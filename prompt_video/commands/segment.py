"""``prompt-video segment``: what happens when in long videos of one's own, in one's own words.

With a localization checkpoint its detector finds the segments. Without one they are stretches in which the similarity
with a text is high, which takes no training and finds less; the command says which it was. A file that cannot be used
is named, and the others go on; the exit code is then 1.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from data_modules.annotations.activitynet_format import write_detections
from data_modules.errors import BrokenVideoError
from prompt_video.commands.own_input import (
    add_arguments,
    files_of,
    model_of,
    shown_text,
    tell_cut_texts,
    texts_of,
)
from prompt_video.detections.files import write_csv, write_subtitles
from prompt_video.detections.selection import MIN_SCORE, Selection
from prompt_video.inference.loaded import LoadedModel
from prompt_video.inference.results import FoundSegments
from prompt_video.reporting.lettering import shown_name
from prompt_video.runs import console as logs


def main(arguments: list[str]) -> int:
    """Find the segments of every file.

    Returns:
        The exit code: 1 when a file could not be used.
    """
    options = _parser().parse_args(arguments[1:])
    logs.configure()
    selection = Selection(options.min_score, options.top)
    files = files_of(options.video)
    model = model_of(options)
    texts = texts_of(options, model)
    console = Console(markup=False, highlight=False, soft_wrap=True)
    console.print(model.describe())
    found: dict[str, FoundSegments] = {}
    broken: list[BrokenVideoError] = []
    with _bar() as bar:
        for file in files:
            task = bar.add_task(shown_name(file.name), total=None)
            try:
                found[str(file)] = _found(model, file, texts, bar, task)
            except BrokenVideoError as error:
                broken.append(error)
            finally:
                bar.remove_task(task)
    for segments in found.values():
        console.print(_table(segments, selection))
    for lost in broken:
        console.print(f"cannot be used: {shown_name(lost.path)}: {lost.reason}")
    tell_cut_texts(model)
    if found:
        console.print(f"Segments are {next(iter(found.values())).describe()}")
    _write(options, model, found)
    for path in (options.json, options.csv, options.srt):
        if path:
            console.print(f"wrote {path}")
    return 1 if broken else 0


def clock(seconds: float) -> str:
    """``mm:ss``, and ``h:mm:ss`` from an hour on."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes:02d}:{whole % 60:02d}"


def _found(model: LoadedModel, file: Path, texts: list[str], bar: Progress, task: TaskID) -> FoundSegments:
    def tell(done_sec: float, total_sec: float) -> None:
        bar.update(task, completed=done_sec, total=total_sec)

    return model.segments(file, texts, progress=tell)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)


def _table(found: FoundSegments, selection: Selection) -> Table:
    shown = sorted(selection.of(found.segments), key=lambda one: one.start_sec)
    rest = len(found.segments) - len(shown)
    if shown:
        caption = f"{rest} more are less likely" if rest else None
    else:
        caption = f"nothing reaches {selection.min_score:g}, the score that is shown (--min-score)"
    title = Text(f"{shown_name(found.video)} ({clock(found.duration_sec)})")
    table = Table(title=title, title_justify="left", title_style="bold", caption=caption, caption_justify="left")
    table.add_column("from", justify="right", no_wrap=True)
    table.add_column("to", justify="right", no_wrap=True)
    table.add_column("class", overflow="fold")
    table.add_column("score", justify="right")
    for one in shown:
        table.add_row(clock(one.start_sec), clock(one.end_sec), shown_text(one.label), f"{one.score:.2f}")
    return table


def _write(options: argparse.Namespace, model: LoadedModel, found: dict[str, FoundSegments]) -> None:
    if not found:
        return
    detections = {Path(name).name if len(found) == 1 else name: each.segments for name, each in found.items()}
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        method = next(iter(found.values())).method
        write_detections(options.json, detections, {"model": model.describe(), "method": method})
    if options.csv:
        write_csv(options.csv, detections)
    if options.srt:
        write_subtitles(options.srt, {Path(name).name: each for name, each in detections.items()}, options.min_score)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="prompt-video segment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(parser)
    parser.add_argument("--top", type=int, default=20, help="segments to show of each video (default: %(default)s)")
    parser.add_argument(
        "--min-score", "--min_score", type=float, default=MIN_SCORE, help="that is shown (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for all segments, in ActivityNet's format")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="the same as a table")
    parser.add_argument("--srt", type=Path, metavar="DIR", help="folder for subtitles that a player shows")
    return parser
