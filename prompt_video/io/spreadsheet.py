"""Tables as CSV files, which people open in spreadsheet programs."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from data_modules.files.atomic import write_whole
from prompt_video.io.readable import readable_lines

_BEGINS_FORMULA = ("=", "+", "-", "@")


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, UTF-8, whole or not at all.

    Text that a spreadsheet program would compute, such as a class called ``=1+1``, gets an apostrophe in front, by
    which these programs know text; so does text that begins with an apostrophe and would be mistaken for such. Names
    are written as people can read them, see `readable_lines`.

    Args:
        path: the file; its folder is made.
        header: names of the columns.
        rows: as many cells each; None is an empty one.
    """

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([inert(cell) for cell in header])
            writer.writerows([inert(cell) for cell in row] for row in rows)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, write)


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write one line a row, the keys of the first row as header; nothing without rows."""
    if rows:
        write_table(path, list(rows[0]), (list(row.values()) for row in rows))


def text_of(cell: str) -> str:
    """What was to be read in a cell that `write_table` has written."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell.lstrip("'")) else cell


def inert(cell: object) -> object:
    """A cell of a table: text that a spreadsheet program would compute gets an apostrophe in front."""
    if not isinstance(cell, str):
        return cell
    text = readable_lines(cell)
    return f"'{text}" if _is_formula(text.lstrip("'")) else text


def _is_formula(text: str) -> bool:
    if not text.startswith(_BEGINS_FORMULA):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False
