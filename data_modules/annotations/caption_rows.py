"""Files of videos and captions as people write them: CSV, JSON or JSON lines, a row a caption."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from data_modules.annotations.json_rows import Cells, read_json_rows, text_cell
from data_modules.annotations.list_files import split_of_cell
from data_modules.errors import InputError
from data_modules.files.file_index import VIDEO_SUFFIXES
from data_modules.files.text_files import excerpt, read_table
from data_modules.protocols.trial import Split

# How a row begins that an open quote has made a part of a caption; other line breaks belong to it.
_BEGINS_A_ROW = re.compile(rf"[^,]*\.({'|'.join(suffix[1:] for suffix in sorted(VIDEO_SUFFIXES))})\s*,", re.IGNORECASE)


class CaptionRow(NamedTuple):
    """One caption of a file."""

    entry: str  # where it stands in the file, for messages
    video: str
    caption: str
    split: Split | None


def read_caption_rows(path: Path) -> Iterator[CaptionRow]:
    """The captions of a file, in its order.

    Args:
        path: ``.csv`` with a header of ``video``, ``caption`` and, where it is known, ``split``; ``.jsonl`` with an
            object of the same keys a line; ``.json`` with a list of such objects, or ``{video: caption or captions}``.
            Each of them may be gzip. Entries of a JSON list are counted from 0.

    Raises:
        InputError: when the file cannot be read, is of another shape, or has no row.
    """
    readers = {".csv": _of_csv, ".json": _of_json, ".jsonl": _of_json}
    read = readers.get(Path(path.name.removesuffix(".gz")).suffix.lower())
    if read is None:
        raise InputError(f"{path}: captions are read from .csv, .json and .jsonl files; rename it to what it is.")
    is_empty = True
    for entry, cells in read(path):
        try:
            row = _row(entry, *cells)
        except InputError as error:
            raise InputError(f"{path}, {entry}: {error}") from None
        is_empty = False
        yield row
    if is_empty:
        raise InputError(f"{path} names no video.")


def _of_csv(path: Path) -> Iterator[tuple[str, Cells]]:
    hint = "a caption with commas needs quotes around it"
    for line, row in read_table(path, ("video", "caption"), ("split",), hint):
        if any(_BEGINS_A_ROW.match(below) for below in row["caption"].split("\n")[1:]):
            raise InputError(f"{path}, line {line}: the caption goes on over the rows below it; close its quote.")
        yield f"line {line}", (row["video"], row["caption"], row.get("split"))


def _of_json(path: Path) -> Iterator[tuple[str, Cells]]:
    for entry, (video, captions, split) in read_json_rows(path, "video", "caption", "captions"):
        yield from ((entry, (video, caption, split)) for caption in _several(captions))


def _several(captions: object) -> list[object]:
    return captions if isinstance(captions, list) else [captions]


def _row(entry: str, video: object, caption: object, split: object) -> CaptionRow:
    name, sentence = text_cell("video", video).strip(), text_cell("caption", caption)
    if not name:
        raise InputError(f"the video is empty; its caption is {excerpt(sentence)}.")
    if "\n" in name:
        raise InputError(f"the video {excerpt(name)} goes on over the rows below it; close its quote.")
    return CaptionRow(entry, name, sentence, None if split is None else split_of_cell(text_cell("split", split)))
