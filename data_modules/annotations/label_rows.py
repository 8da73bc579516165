"""Files of videos and labels as people write them: a CSV with a row a video."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from data_modules.annotations.list_files import split_of_cell
from data_modules.errors import InputError
from data_modules.files.text_files import excerpt, read_table
from data_modules.protocols.trial import Split


class LabelRow(NamedTuple):
    """One row of a file."""

    where: str  # file and line, for messages
    video: str
    label: str
    split: Split | None


def read_label_rows(path: Path) -> Iterator[LabelRow]:
    """The rows of a file, in its order; one whose cells are all empty is none.

    Args:
        path: ``.csv``, gzip or not, with a header of ``path``, ``label`` and, where it is known, ``split``.

    Raises:
        InputError: when the file cannot be read, is of another shape, or has no row.
    """
    is_empty = True
    for line, row in read_table(path, ("path", "label"), ("split",), "a cell with a comma needs quotes around it"):
        where = f"{path}, line {line}"
        cells = {name: cell.strip() for name, cell in row.items()}
        for name in ("path", "label"):
            if not cells[name]:
                raise InputError(f"{where}: the {name} is empty: {excerpt(list(row.values()))}.")
            if "\n" in cells[name]:
                raise InputError(f"{where}: the {name} goes on over the rows below it; close its quote.")
        try:
            split = split_of_cell(cells.get("split", ""))
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        is_empty = False
        yield LabelRow(where, cells["path"], cells["label"], split)
    if is_empty:
        raise InputError(f"{path} names no video.")
