"""What classes gain on the zero-shot model, as tables of a page."""

from collections.abc import Sequence

from prompt_video.reports.comparison.classes import ClassGain, class_gains
from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.document import Fold, Note, Part
from prompt_video.reports.tables import Cell, Column, Figure, Table

FEW_CLASSES = 10  # of the largest gains, and as many of the smallest
FEW_ROWS = 2  # whose classes are shown at once; of more, on a click
_WHAT = {"map_avg": "average precision, mean over overlaps", "map": "average precision"}  # by a figure of the runs
ABOUT_BARS = "The mark in a bar is the zero-shot figure."


def class_parts(rows: Sequence[Row], notes: list[str]) -> list[Part]:
    """What classes gain on the zero-shot model, a table a row.

    Args:
        rows: to tell of; those whose classes gain nothing are left out.
        notes: gets a line for each file that cannot be read.
    """
    found: dict[str, Sequence[ClassGain]] = {}
    for row in rows:
        try:
            found[row.name] = class_gains(row)
        except ValueError as error:
            notes.append(str(error))
    shown = {row: own for row, own in found.items() if any(one.gain for one in own)}
    figures = {name.rpartition("/")[2] for row in rows for run in row.runs for name in run.metrics}
    what = next((words for figure, words in _WHAT.items() if figure in figures), "accuracy")
    tables = {row: class_table(own, what) for row, own in shown.items()}
    if len(rows) == 1:
        return [Note(ABOUT_BARS), *tables.values()] if tables else []
    folds = [Fold(row, [table], len(shown) <= FEW_ROWS) for row, table in tables.items()]
    return [Note(ABOUT_BARS), *folds] if folds else []


def class_table(gains: Sequence[ClassGain], what: str = "accuracy") -> Table:
    """The classes that gain most and least on the zero-shot model, whose figures are marks in the bars of the learned.

    Args:
        gains: largest first.
        what: was measured of them, in words.
    """
    listed = list(gains)
    better, worse = (sum(sign * one.gain > 0 for one in gains) for sign in (1, -1))
    words = f"{len(gains)} classes: {better} above zero-shot, {worse} below, {len(gains) - better - worse} equal."
    if len(listed) > 2 * FEW_CLASSES:
        listed = [*gains[:FEW_CLASSES], *gains[-FEW_CLASSES:]]
        words += f" Shown are the {FEW_CLASSES} largest gains and the {FEW_CLASSES} smallest."
    rows: list[list[Cell]] = [
        [
            one.name,
            Figure(100 * one.learned, mark=100 * one.frozen),
            Figure(100 * one.frozen),
            Figure(100 * one.gain, is_gain=True),
        ]
        for one in listed
    ]
    head = [Column("class", is_text=True), Column("learned", "%"), Column("zero-shot", "%"), Column("Δ", "%")]
    return Table(f"Classes: {what}", head, rows, notes=[words])
