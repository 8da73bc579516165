"""Files of videos and captions as people write them: CSV, JSON or JSON lines, a row a caption."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from data_modules.annotations.list_files import read_text
from data_modules.errors import InputError
from data_modules.protocols.trial import Split

_SPLITS: Mapping[str, Split] = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_COLUMNS = ({"video", "caption"}, {"video", "caption", "split"})


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
    readers = {".csv": _of_csv, ".json": _of_json, ".jsonl": _of_json_lines}
    read = readers.get(Path(path.name.removesuffix(".gz")).suffix.lower())
    if read is None:
        raise InputError(f"{path}: captions are read from .csv, .json and .jsonl files; rename it to what it is.")
    text, entry, is_empty = read_text(path), "", True

    def at(place: str) -> None:
        nonlocal entry
        entry = place

    try:
        for video, caption, split in read(text, at):
            is_empty = False
            yield _row(entry, video, caption, split)
    except InputError as error:
        raise InputError(f"{path}{f', {entry}' if entry else ''}: {error}") from None
    if is_empty:
        raise InputError(f"{path} names no video.")


Cells = Iterator[tuple[object, object, object]]  # video, caption and split, still of any type
At = Callable[[str], None]  # told which entry is being read


def _of_csv(text: str, at: At) -> Cells:
    # Strict: a quote that is never closed would make the rest of the file one caption.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    header: list[str] = []
    while True:
        at(f"line {reader.line_num + 1}")
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"the row that begins here cannot be read ({error}); close every quote, and write one that belongs to "
                "a quoted caption twice."
            ) from None
        if cells is None:
            break
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = [cell.strip().lower() for cell in cells]
            if set(header) not in _COLUMNS or len(set(header)) < len(header):
                raise InputError(f"the header must be video,caption or video,caption,split, not {_shown(cells)}.")
        elif len(cells) != len(header):
            raise InputError(
                f"{len(cells)} columns where the header has {len(header)}: {_shown(cells)}; a caption with commas "
                "needs quotes around it."
            )
        else:
            row = dict(zip(header, cells, strict=True))
            yield row["video"], row["caption"], row.get("split")
    if not header:
        at("line 1")
        raise InputError("the file is empty; it needs the header video,caption or video,caption,split.")


def _of_json(text: str, at: At) -> Cells:
    content = _parsed(text)
    if isinstance(content, dict):
        for video, captions in content.items():
            at(f"video '{video}'")
            yield from ((video, caption, None) for caption in _several(captions))
    elif isinstance(content, list):
        for number, item in enumerate(content):
            at(f"entry {number}")
            yield from _of_object(item)
    else:
        raise InputError(f"a list of objects, or one object {{video: captions}}, is expected, not {_shown(content)}.")


def _of_json_lines(text: str, at: At) -> Cells:
    # Not `splitlines`, which also divides at marks that may stand in a caption.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            at(f"line {number}")
            yield from _of_object(_parsed(line))


def _of_object(item: object) -> Cells:
    if not isinstance(item, dict) or set(item) not in _COLUMNS:
        raise InputError(
            f'an object with "video", "caption" and, where it is known, "split" is expected, not {_shown(item)}.'
        )
    yield from ((item["video"], caption, item.get("split")) for caption in _several(item["caption"]))


def _several(captions: object) -> list[object]:
    return captions if isinstance(captions, list) else [captions]


def _parsed(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is not valid JSON: {error}.") from None


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object; Python's reader would keep the last of two captions under one key, and drop the first unseen."""
    content: dict[str, object] = {}
    for key, value in pairs:
        if key in content:
            raise InputError(f"the key {_shown(key)} stands twice in one object; make one list of its captions.")
        content[key] = value
    return content


def _row(entry: str, video: object, caption: object, split: object) -> CaptionRow:
    name, sentence = _text("video", video).strip(), _text("caption", caption)
    if not name:
        raise InputError(f"the video is empty; its caption is {_shown(sentence)}.")
    called = "" if split is None else _text("split", split).strip().lower()
    if called and called not in _SPLITS:
        raise InputError(f"{_shown(called)} is not a split; use train, val or test.")
    return CaptionRow(entry, name, sentence, _SPLITS[called] if called else None)


def _text(name: str, value: object) -> str:
    """A text that can be printed and be a file's name: JSON can spell others."""
    if not isinstance(value, str):
        raise InputError(f"the {name} must be a text, not {_shown(value)}.")
    if "\0" in value or not (value.isascii() or value == value.encode("utf-8", "ignore").decode()):
        raise InputError(f"the {name} {_shown(value)} has a character that is none: a zero, or half of a pair.")
    return value


def _shown(value: object) -> str:
    """A value as JSON, cut to what fits a message."""
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
