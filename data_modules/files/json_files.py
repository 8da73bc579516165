"""JSON that every program reads: no NaN, no infinity, and names of any kind."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.atomic import write_whole


def json_text(value: object, indent: int | None = None) -> str:
    """A value as JSON; what of a file name is no valid unicode is escaped.

    Raises:
        InputError: when a number in it is not finite; the message names its place.
    """
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        place = next(_not_finite(value, ()), None)
        if place is None:  # a value that holds itself
            raise
        raise InputError(f"{'.'.join(place) or 'the value'} is not finite, and nothing is written of it.") from error
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_json(path: Path, value: object) -> None:
    """Write a value as JSON, for programs and for people; see `json_text` and `write_whole`."""
    text = json_text(value, indent=2) + "\n"
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


def _not_finite(value: object, place: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Where a value holds numbers that are not finite."""
    if isinstance(value, float):
        if not math.isfinite(value):
            yield place
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _not_finite(inner, (*place, str(key)))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _not_finite(inner, (*place, str(number)))
