"""``prompt-video segment``: what happens when in long videos of one's own, in one's own words.

With a localization checkpoint its detector finds the segments. Without one they are stretches in which the similarity
with a text is high, which takes no training and finds less; the command says which it was. What shows none of the
classes is left out where --none_below, --none_bank or --calibrate says when that is. A file that cannot be used is
named, and the others go on; the exit code is then 1.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace
from rich.console import Group

from data_modules.annotations.activitynet_format import write_detections
from data_modules.errors import BrokenVideoError
from prompt_video.inference.options import add_video_options, model_and_texts, tell_cut_texts
from prompt_video.io import console as logs
from prompt_video.io.outputs import check_file, check_folder, save
from prompt_video.io.progress import Steps
from prompt_video.io.tables import new_table, titled
from prompt_video.io.verb_parser import VerbParser
from prompt_video.io.video_files import below_common, files_of
from prompt_video.localization.detection_files import write_csv, write_subtitles
from prompt_video.localization.selection import MIN_SCORE, Selection
from prompt_video.reports.text_formatting import class_text, clock, path_text

ALL = 1_000_000  # segments of a video in a file

if TYPE_CHECKING:
    from prompt_video.inference.loaded import LoadedModel
    from prompt_video.inference.results import VideoSegments


def main(arguments: list[str]) -> int:
    """Find the segments of every file.

    Returns:
        The exit code: 1 when a file could not be used.
    """
    options = parser().parse(arguments[1:])
    logs.configure()
    selection = Selection(options.min_score, options.top, overlapping=options.overlapping)
    check_file(options.json, "--json")
    check_file(options.csv, "--csv")
    check_folder(options.srt, "--srt")
    files = files_of(options.video)
    model, texts = model_and_texts(options)
    console = logs.Terminal()
    console.print(model.describe())
    results: dict[str, VideoSegments] = {}
    broken: list[BrokenVideoError] = []
    with Steps("looking for segments", len(files), "videos") as steps:
        for number, file in enumerate(files):
            try:
                result = model.segments(file, texts, progress=partial(_tell, steps, number))
            except BrokenVideoError as error:
                broken.append(error)
                steps.print(f"cannot be used: {error.path}: {error.reason}")
            else:
                results[str(file)] = result
                steps.print(_table(result, selection))
            steps.to(number + 1)
    tell_cut_texts(model)
    if len(files) > 1:
        lost = f"; {len(broken)} of {len(files)} files cannot be used" if broken else ""
        console.print(f"{sum(len(one.segments) for one in results.values())} segments in {len(results)} videos{lost}")
    if results:
        console.print(f"Segments are {next(iter(results.values())).describe()}")
    if model.notice:
        console.print(f"note: {model.notice}")
    return 0 if _write(options, model, results) and not broken else 1


def _tell(steps: Steps, before: int, done_sec: float, total_sec: float) -> None:
    steps.to(before + 0.99 * done_sec / total_sec)


def _table(result: "VideoSegments", selection: Selection) -> Group:
    best = sorted(selection.of(result.segments), key=lambda one: one.start_sec)
    if best:
        others = "others are less likely" if selection.overlapping else "others are less likely, or overlap with these"
        caption = others if len(result.segments) > len(best) else None
    else:
        caption = f"nothing reaches {selection.min_score:g}, the score that is shown (--min_score)"
    title = f"{path_text(result.video)} ({clock(result.duration_sec)})"
    table = new_table()
    table.add_column("from", justify="right", no_wrap=True)
    table.add_column("to", justify="right", no_wrap=True)
    table.add_column("class", overflow="fold")
    table.add_column("score", justify="right")
    for one in best:
        table.add_row(clock(one.start_sec), clock(one.end_sec), class_text(one.label), f"{one.score:.2f}")
    return titled(title, table, caption)


def _write(options: Namespace, model: "LoadedModel", results: dict[str, "VideoSegments"]) -> bool:
    """Write all that was asked for, and say whether it is where it should be."""
    if not results:
        return True
    detections = {Path(name).name if len(results) == 1 else name: result.segments for name, result in results.items()}
    notice = {"notice": model.notice} if model.notice else {}
    first = next(iter(results.values()))
    none = first.rejection.state() if first.rejection is not None else None
    about = {"model": model.describe(), **notice, "method": first.method, "none_of_these": none}
    selection = Selection(options.min_score, ALL, overlapping=options.overlapping)
    shown = {name: selection.of(own) for name, own in detections.items()}
    videos = dict(zip(below_common(results), shown.values(), strict=True))
    are_saved = (
        save(options.json, lambda path: write_detections(path, detections, about), "wrote"),
        save(options.csv, lambda path: write_csv(path, shown), "wrote"),
        save(options.srt, lambda path: write_subtitles(path, videos, 0.0, at_most=ALL, ids_are_files=True), "wrote"),
    )
    return all(are_saved)


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("segment", __doc__)
    add_video_options(parser)
    parser.add_argument("--top", type=int, default=20, help="segments to show of each video")
    parser.add_argument("--min_score", type=float, default=MIN_SCORE, help="that is shown")
    parser.add_argument(
        "--overlapping", action="store_true", help="show also what overlaps with something better, and all of it"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for all segments, in ActivityNet's format")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="table of all that reach --min_score")
    parser.add_argument("--srt", type=Path, metavar="DIR", help="folder for subtitles that a player shows")
    return parser
