"""Sentences that describe classes: a JSON or CSV of one's own, or a packaged one by its name."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from data_modules.errors import InputError
from data_modules.files.text_files import composed, excerpt, read_json, read_table

_PACKAGED = Path(__file__).parent / "class_descriptions"
_SUFFIX = ".json.gz"
MOST_SENTENCES = 100  # of a class


@cache
def packaged_descriptions() -> Mapping[str, Path]:
    """The packaged files by name, such as ``hmdb51-spatio`` and ``hmdb51-temporal``; see the README beside them."""
    return {path.name.removesuffix(_SUFFIX): path for path in sorted(_PACKAGED.glob(f"*{_SUFFIX}"))}


def read_descriptions(source: str) -> dict[str, list[str]]:
    """The sentences of each class.

    Args:
        source: name of a packaged file, or path of one: JSON of one object, ``{"class": ["sentence", ...]}``, or CSV
            with the header ``class,sentence`` and a row for each sentence.

    Raises:
        InputError: there is no such file, it cannot be read, or a class or a sentence is empty.
    """
    path = packaged_descriptions().get(source, Path(source))
    if not path.is_file():
        known = ", ".join(packaged_descriptions())
        raise InputError(f"'{source}' is neither a file of descriptions (.json or .csv) nor one of {known}.")
    is_table = ".csv" in path.suffixes
    described: dict[str, list[str]] = {}
    for where, name, sentence in _of_table(path) if is_table else _of_json(path):
        if not name.strip():
            raise InputError(f"{where}: a description is of no class; write the class name before it.")
        if not sentence.strip():
            raise InputError(f"{where}: the class '{name}' has an empty description; write a sentence.")
        described.setdefault(" ".join(name.split()), []).append(" ".join(sentence.split()))
    if not described:
        raise InputError(f"{path} describes no class.")
    return described


def sentences_of(texts: Sequence[str], described: Mapping[str, Sequence[str]], source: str) -> list[list[str]]:
    """The sentences of each of some classes; capitals, blanks and signs in names do not matter.

    Args:
        texts: class names.
        described: sentences by class name.
        source: of these, for messages.

    Raises:
        InputError: when a class has none, or may be either of two that are described.
    """
    by_letters: dict[str, list[str]] = defaultdict(list)
    for name in described:
        by_letters[_letters(name)].append(name)
    called = [[text] if text in described else by_letters[_letters(text)] for text in texts]
    if missing := [text for text, names in zip(texts, called, strict=True) if not names]:
        others = f", nor of {count} other{'s' if count > 1 else ''}" if (count := len(missing) - 1) else ""
        raise InputError(
            f"{source} has no description of the class '{missing[0]}'{others}; it describes {len(described)}, "
            f"such as '{next(iter(described))}'."
        )
    if torn := next(((text, names) for text, names in zip(texts, called, strict=True) if len(names) > 1), None):
        raise InputError(
            f"{source} describes '{torn[1][0]}' and '{torn[1][1]}', and either may be the class '{torn[0]}': put their "
            "sentences together."
        )
    return [list(described[names[0]]) for names in called]


def _letters(name: str) -> str:
    """A name by its letters and digits alone: `pull-up`, `PullUp` and `pull up` are one."""
    return re.sub(r"[\W_]", "", composed(name).casefold()) or name


def _of_json(path: Path) -> Iterator[tuple[str, str, str]]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f'{path} must be one object, {{"class": ["sentence", ...]}}, not {excerpt(content)}.')
    for name, own in content.items():
        sentences = [own] if isinstance(own, str) else own
        if not isinstance(sentences, list) or not all(isinstance(sentence, str) for sentence in sentences):
            raise InputError(f"{path}: the descriptions of '{name}' must be a list of sentences, not {excerpt(own)}.")
        if not sentences:
            raise InputError(f"{path}: the class '{name}' has no sentence; write one, or take the class out.")
        if len(sentences) > MOST_SENTENCES:
            raise InputError(
                f"{path}: the class '{name}' has {len(sentences)} sentences; {MOST_SENTENCES} is the most."
            )
        yield from ((str(path), name, sentence) for sentence in sentences)


def _of_table(path: Path) -> Iterator[tuple[str, str, str]]:
    hint = "a sentence with a comma needs quotes around it"
    for line, row in read_table(path, ("class", "sentence"), (), hint):
        yield f"{path}, line {line}", row["class"], row["sentence"]
