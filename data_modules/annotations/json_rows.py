"""Rows of videos and what is said of them, as people write them in JSON or JSON lines."""

from collections.abc import Iterator
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.text_files import composed, cut, excerpt, parse_json, read_json, read_lines

Cells = tuple[object, object, object]  # video, what is said of it, and split, still of any type


def read_json_rows(path: Path, video: str, said: str, what: str) -> Iterator[tuple[str, Cells]]:
    """The rows of a file, in its order, and where each stands in it; entries of a list are counted from 0.

    Args:
        path: ``.jsonl`` with an object of ``video``, ``said`` and, where it is known, ``split`` a line; or JSON with a
            list of such objects, or one object ``{video: said}``. Either may be gzip.
        video: key of the video.
        said: key of what is said of it.
        what: is said, in words, for messages.

    Raises:
        InputError: when the file cannot be read, or is of another shape.
    """
    if path.name.removesuffix(".gz").lower().endswith(".jsonl"):
        for number, text in read_lines(path):
            yield _of_object(parse_json(text, path, number), path, f"line {number}", (video, said))
        return
    content = read_json(path)
    if isinstance(content, dict):
        yield from ((f"video {cut(name)!r}", (name, value, None)) for name, value in content.items())
    elif isinstance(content, list):
        for number, item in enumerate(content):
            yield _of_object(item, path, f"entry {number}", (video, said))
    else:
        raise InputError(
            f"{path}: a list of objects, or one object {{video: {what}}}, is expected, not {excerpt(content)}."
        )


def text_cell(name: str, value: object) -> str:
    """A cell that is a text.

    Raises:
        InputError: when it is none.
    """
    if not isinstance(value, str):
        raise InputError(f"the {name} must be a text, not {excerpt(value)}.")
    return composed(value)


def _of_object(item: object, path: Path, entry: str, keys: tuple[str, str]) -> tuple[str, Cells]:
    if not isinstance(item, dict) or set(item) - {"split"} != set(keys):
        raise InputError(
            f'{path}, {entry}: an object with "{keys[0]}", "{keys[1]}" and, where it is known, "split" is expected, '
            f"not {excerpt(item)}."
        )
    return entry, (item[keys[0]], item[keys[1]], item.get("split"))
