"""``prompt-video label``: what is to be seen in videos of one's own, in one's own words.

With a checkpoint its learned prompts and temporal encoder are used; without one the frozen backbone with hand-written
prompts. A video may show none of the classes: --none_below, --none_bank or --calibrate says when. A file that cannot be
used is named, and the others go on; the exit code is then 1.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, JustifyMethod
from rich.table import Table

from data_modules.errors import BrokenVideoError, InputError
from prompt_video.inference.options import add_video_options, model_and_texts, tell_cut_texts
from prompt_video.io import console as logs
from prompt_video.io.outputs import check_file, save, write_json
from prompt_video.io.progress import Steps
from prompt_video.io.spreadsheet import write_table
from prompt_video.io.tables import GAP, GrowingTable, new_table, titled
from prompt_video.io.verb_parser import VerbParser
from prompt_video.io.video_files import below_common, files_of
from prompt_video.model.none_of_these import NONE_OF_THESE
from prompt_video.reports.text_formatting import class_text, path_text, room

if TYPE_CHECKING:
    from prompt_video.inference.loaded import LoadedModel
    from prompt_video.inference.results import Ranked, VideoScores
    from prompt_video.model.rejection import Rejection

NEXT = 2  # classes that stand behind the best one, where videos have a row each
WIDEST_VIDEO, WIDEST_CLASS = 30, 20  # columns of a terminal; longer names are folded
MOST_CLASSES = 5  # that the last line counts


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
    model, texts = model_and_texts(options)

    from prompt_video.inference.kept_views import KeptViews  # and torch with it: what was typed is right so far

    if options.keep_in is not None:
        model.kept_views = KeptViews(options.keep_in)
    console = logs.Terminal()
    console.print(model.describe())
    rule = model.rule_for(texts)
    if rule is not None:
        console.print(rule.describe())
    results: list[VideoScores] = []
    broken: list[BrokenVideoError] = []
    num_classes = min(options.top, 1 + NEXT) if model.independent is None else 1 + NEXT
    rows = _Rows(files, texts, num_classes) if len(files) > 1 else None
    with Steps("labelling", len(files), "videos") as steps:
        for file in files:
            try:
                scores = model.score(file, texts)
            except BrokenVideoError as error:
                broken.append(error)
                steps.print(f"cannot be used: {error.path}: {error.reason}")
            else:
                results.append(scores)
                steps.print(rows.of(scores) if rows else _table(scores, options.top, rule))
            steps.advance()
    if len(files) > 1:
        console.print(_summary(results, broken))
    tell_cut_texts(model)
    if model.notice:
        console.print(f"note: {model.notice}", soft_wrap=True)
    content = _content(model, rule, results, broken, options.top)
    are_saved = (
        save(options.json, lambda path: write_json(path, content), "all figures:"),
        save(options.csv, lambda path: _write_csv(path, results, options.top), "table:"),
    )
    return 0 if all(are_saved) and not broken else 1


def _table(scores: "VideoScores", top: int, rule: "Rejection | None") -> Group:
    """Of one video: a row a class, all that it shows and more; by a rule what it says of it."""
    table = new_table()
    table.add_column("rank", justify="right")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right")
    table.add_column("similarity", justify="right")
    for rank, one in enumerate(scores.shown(top), start=1):
        table.add_row(str(rank), class_text(one.text), f"{one.probability:.1%}", f"{one.similarity:.3f}")
    video = path_text(scores.video)
    if rule is None:
        return titled(video, table)
    verdict = ", ".join(class_text(one.text) for one in scores.labels) or NONE_OF_THESE
    if scores.threshold is not None:
        return titled(f"{video}: {verdict}", table, f"shown: probabilities from {scores.threshold:.3g} on")
    sign = "below" if scores.label is None else "not below"
    return titled(f"{video}: {verdict}", table, f"confidence {scores.confidence:.3f}, {sign} {rule.threshold:.3g}")


class _Rows:
    """Of many videos: a row each as it is done, its best class and those behind it."""

    def __init__(self, files: Sequence[Path], texts: Sequence[str], num_classes: int) -> None:
        self.num_classes = num_classes
        self.names = dict(zip(files, map(path_text, below_common(map(str, files))), strict=True))
        longest = (max(map(room, names)) for names in (self.names.values(), map(class_text, texts)))
        video, label = (min(width, most) for width, most in zip(longest, (WIDEST_VIDEO, WIDEST_CLASS), strict=True))
        columns: list[tuple[str, int, JustifyMethod]] = [
            ("video", max(video, len("video")), "left"),
            ("class", max(label, len("class")), "left"),
            ("probability", len("probability"), "right"),
        ]
        self._room = logs.Terminal().width - sum(width + GAP for _, width, _ in columns)
        self._table = GrowingTable([*columns, ("then", 0, "left")] if num_classes > 1 else columns)

    def of(self, scores: "VideoScores") -> Table:
        """The row of a video."""
        best = scores.best(self.num_classes)
        first, *others = best if scores.threshold is None else scores.labels or best
        cells = [self.names[scores.video], class_text(first.text), f"{first.probability:.1%}"]
        if not scores.is_known:
            cells[1:], others = [NONE_OF_THESE, ""], best
        if self.num_classes > 1:
            told = [f"{class_text(one.text)} {one.probability:.0%}" for one in others if _counts(one)]
            fits = len(line := ", ".join(told)) <= self._room or scores.threshold is not None
            cells.append(line if fits else told[0])
        return self._table.row(*cells)


def _counts(one: "Ranked") -> bool:
    """Whether a class is told behind the best one; the files have all."""
    return round(100 * one.probability) > 0


def _summary(results: Sequence["VideoScores"], broken: Sequence[BrokenVideoError]) -> str:
    counted = Counter(one.text for scores in results for one in scores.labels).most_common()
    names = [f"{class_text(name)} {number}" for name, number in counted[:MOST_CLASSES]]
    refused = sum(not scores.is_known for scores in results)
    told = ", ".join([*names, *([f"{NONE_OF_THESE} {refused}"] if refused else [])])
    more = f" and {len(counted) - MOST_CLASSES} classes more" if len(counted) > MOST_CLASSES else ""
    lost = f"; {len(broken)} of {len(results) + len(broken)} files cannot be used" if broken else ""
    return f"{len(results)} videos labelled{': ' if told else ''}{told}{more}{lost}"


def _content(
    model: "LoadedModel",
    rule: "Rejection | None",
    results: list["VideoScores"],
    broken: list[BrokenVideoError],
    top: int,
) -> dict[str, Any]:
    videos: list[dict[str, Any]] = [
        {
            "video": str(scores.video),
            "duration_sec": scores.duration_sec,
            "label": scores.label,
            **({} if scores.threshold is None else {"labels": [one.text for one in scores.labels]}),
            "confidence": scores.confidence,
            "best": [one._asdict() for one in scores.shown(top)],
        }
        for scores in results
    ]
    unusable = [{"video": str(error.path), "reason": error.reason} for error in broken]
    notice = {"notice": model.notice} if model.notice else {}
    none = rule.state() if rule is not None else None
    return {"model": model.describe(), **notice, "none_of_these": none, "videos": videos, "broken": unusable}


def _write_csv(path: Path, results: list["VideoScores"], top: int) -> None:
    rows = (
        (str(scores.video), rank, one.text, f"{one.probability:.6g}", f"{one.similarity:.6g}", _label(scores))
        for scores in results
        for rank, one in enumerate(scores.shown(top), start=1)
    )
    write_table(path, ("video", "rank", "class", "probability", "similarity", "label"), rows)


def _label(scores: "VideoScores") -> str:
    return NONE_OF_THESE if scores.label is None else scores.label


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("label", __doc__)
    add_video_options(parser)
    parser.add_argument("--top", type=int, default=5, help="classes to show of a video; of several, three at most")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file to write the figures to")
    parser.add_argument("--csv", type=Path, metavar="OUT", help="the same as a table")
    parser.add_argument(
        "--keep_in", type=Path, metavar="DIR", help="keep features there, so that clips are decoded once for all models"
    )
    return parser
