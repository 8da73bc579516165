"""Class names as people write them: those of labels, those in a file, and those that differ in little."""

import logging
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.text_files import composed, cut, read_lines

log = logging.getLogger(__name__)

MOST_BYTES = 1 << 24  # of a file of class names
MOST_LETTERS = 5000  # of one; text encoders read some 300

_NUMBERED = (
    re.compile(r"(?P<number>\d+)[\s.,:;)|-]+(?P<name>[^\s.,:;)|-].*)"),
    re.compile(r"(?P<name>.*[^\s,;|])\s*[,;|\t]\s*(?P<number>\d+)"),
)
_COLUMN = r"(?:\w*id|index|\w*class|\w*label|\w*name)"
_HEADER = re.compile(rf"{_COLUMN}(?:[\s,;|]+{_COLUMN})+")


def read_class_names(path: Path) -> list[str]:
    """The names in a file, one a line, as they stand; numbers that count them, before or behind, are no part of them.

    Raises:
        InputError: when the file cannot be read, or it cannot be told whether its numbers belong to the names.
    """
    lines = list(read_lines(path, MOST_BYTES))
    for line, name in lines:
        if len(name) > MOST_LETTERS:
            raise InputError(f"{path}, line {line}: {cut(name)!r} has {len(name):,} letters; no class name has.")
    for pattern in _NUMBERED:
        if (names := _without_numbers(path, lines, pattern)) is not None:
            return names
    return [name for _, name in lines]


def names_of(labels: Sequence[str], renamed: Mapping[str, str], source: str) -> list[str]:
    """What is read for the labels of a data set: underscores are blanks.

    Args:
        labels: each once.
        renamed: names of some of them, by label.
        source: of the labels, for messages.

    Raises:
        InputError: when a label is empty, or two of them would have one name.
    """
    names = [renamed.get(label, label.replace("_", " ")).strip() for label in labels]
    first: dict[str, str] = {}
    for label, name in zip(labels, names, strict=True):
        if not name:
            raise InputError(f"{source}: the label {label!r} is empty.")
        if (other := first.setdefault(composed(name), label)) != label:
            raise InputError(
                f"{source}: the labels '{other}' and '{label}' would both be called '{name}'; rename one, or tell "
                "them apart in the data.class_names of an experiment."
            )
    tell_alike(names, source)
    return names


def tell_alike(names: Sequence[str], source: str) -> None:
    """Say which names differ in capitals and blanks alone, which most text encoders do not see."""
    first: dict[str, str] = {}
    alike = [(other, name) for name in names if (other := first.setdefault(as_read(name), name)) != name]
    if alike:
        others = f" ({len(alike)} such pairs)" if len(alike) > 1 else ""
        said = "%s: '%s' and '%s' differ in capitals or blanks alone, which most models do not see%s"
        log.warning(said, source, *map(cut, alike[0]), others)


def as_read(name: str) -> str:
    """A text as most text encoders read it, CLIP's too: without capitals and extra blanks."""
    return " ".join(composed(name).casefold().split())


def _without_numbers(path: Path, lines: Sequence[tuple[int, str]], pattern: re.Pattern[str]) -> list[str] | None:
    """The names alone; None where the numbers, if there are any, are words of theirs."""
    rows = lines[1:] if lines and _HEADER.fullmatch(lines[0][1].lower()) else lines
    matches = [(line, name, pattern.fullmatch(name)) for line, name in rows]
    numbered = [match for *_, match in matches if match]
    names = [match["name"].strip().strip('"') for match in numbered]
    is_one_name = len(names) > 1 and len(set(names)) == 1  # the rest of `100 m run`, `200 m run`
    if len(numbered) <= len(rows) / 2 or is_one_name:
        return None
    if bare := next(((line, name) for line, name, match in matches if not match), None):
        raise InputError(
            f"{path}, line {bare[0]}: {cut(bare[1])!r} has no number, and {len(numbered)} of {len(rows)} lines have "
            "one; write names alone, one a line, or give them with --classes."
        )
    if not _count([int(match["number"]) for match in numbered], names):
        raise InputError(
            f"{path}, line {rows[0][0]}: is the number in {cut(rows[0][1])!r} a part of the class name? The numbers "
            "here do not count from 0 or 1; write names alone, one a line, or give them with --classes."
        )
    log.warning("%s: the numbers of its %d lines count the names, and are no part of them", path, len(names))
    return names


def _count(numbers: Sequence[int], names: Sequence[str]) -> bool:
    """Whether numbers count names, all of a data set in any order, or some of it in its own: `7 BaseballPitch`."""
    first = min(numbers)
    if first <= 1 and sorted(numbers) == list(range(first, first + len(numbers))):
        return True
    is_sorted = all(one < other for one, other in pairwise(numbers))
    return is_sorted and len(numbers) > 2 and not any(" " in name for name in names)
