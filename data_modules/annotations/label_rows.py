"""Files of videos and labels as people write them: CSV, JSON or JSON lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from data_modules.annotations.json_rows import read_json_rows, text_cell
from data_modules.annotations.list_files import BETWEEN_LABELS, check_labels, labels_of_cell, split_of_cell
from data_modules.errors import InputError
from data_modules.files.text_files import excerpt, read_table
from data_modules.protocols.trial import Split


class LabelRow(NamedTuple):
    """One row of a file."""

    where: str  # file and line, for messages
    video: str
    labels: tuple[str, ...]  # each once; none: a JSON says that the video shows none of the classes
    split: Split | None


def read_label_rows(path: Path) -> Iterator[LabelRow]:
    """The rows of a file, in its order; one whose cells are all empty is none.

    Args:
        path: ``.jsonl`` with an object of ``path``, ``label`` and, where it is known, ``split`` a line; ``.json`` with
            a list of such objects, or ``{path: label}``, where a label may be a list of labels, even of none; anything
            else is CSV with a header of these names, where ``|`` stands between labels. Each may be gzip.

    Raises:
        InputError: when the file cannot be read, is of another shape, or has no row.
    """
    is_json = path.name.removesuffix(".gz").lower().endswith((".json", ".jsonl"))
    is_empty = True
    for row in _of_json(path) if is_json else _of_csv(path):
        is_empty = False
        yield row
    if is_empty:
        raise InputError(f"{path} names no video.")


def _of_csv(path: Path) -> Iterator[LabelRow]:
    for line, row in read_table(path, ("path", "label"), ("split",), "a cell with a comma needs quotes around it"):
        where = f"{path}, line {line}"
        cells = {name: cell.strip() for name, cell in row.items()}
        for name in ("path", "label"):
            if not cells[name]:
                nothing = "; a video that shows none of the classes has [] in a JSON file" if name == "label" else ""
                raise InputError(f"{where}: the {name} is empty: {excerpt(list(row.values()))}{nothing}.")
            if "\n" in cells[name]:
                raise InputError(f"{where}: the {name} goes on over the rows below it; close its quote.")
        try:
            yield LabelRow(where, cells["path"], labels_of_cell(cells["label"]), split_of_cell(cells.get("split", "")))
        except InputError as error:
            raise InputError(f"{where}: {error}") from None


def _of_json(path: Path) -> Iterator[LabelRow]:
    for entry, (video, said, split) in read_json_rows(path, "path", "label", "label or labels"):
        try:
            name = text_cell("path", video).strip()
            if not name:
                raise InputError(f"the path is empty; its label is {excerpt(said)}.")
            labels = _labels(said if isinstance(said, list) else [said])
            known = None if split is None else split_of_cell(text_cell("split", split))
        except InputError as error:
            raise InputError(f"{path}, {entry}: {error}") from None
        yield LabelRow(f"{path}, {entry}", name, labels, known)


def _labels(said: Sequence[object]) -> tuple[str, ...]:
    labels = [text_cell("label", label).strip() for label in said]
    if (joined := next((label for label in labels if BETWEEN_LABELS in label), None)) is not None:
        raise InputError(f"the label {excerpt(joined)} has a {BETWEEN_LABELS} in it; write several labels as a list.")
    return check_labels(labels)
