"""A bank of texts that mean something else than the candidates."""

import logging
import re
from functools import lru_cache
from pathlib import Path

from data_modules.annotations.class_names import as_read, read_class_names
from data_modules.data_sets.class_lists import CLASS_LISTS, class_list
from data_modules.errors import InputError
from data_modules.files.text_files import cut

log = logging.getLogger(__name__)

_ARTICLES = {"a", "an", "the"}


def read_bank(source: str) -> tuple[str, ...]:
    """The texts of a bank.

    Args:
        source: name of a packaged list of classes, such as ``kinetics700``; or a text file with one a line.

    Raises:
        InputError: when there is no such list or file, or it has no text.
    """
    if source in CLASS_LISTS:
        return class_list(source)
    if not Path(source).is_file():
        raise InputError(
            f"there is no bank '{cut(source)}': name a text file with one text a line, or a packaged list of classes: "
            f"{', '.join(CLASS_LISTS)}."
        )
    texts = tuple(dict.fromkeys(text.strip() for text in read_class_names(Path(source)) if text.strip()))
    if not texts:
        raise InputError(f"the bank {source} is empty; write one text a line that means something else.")
    return texts


@lru_cache(maxsize=32)  # what is taken out is told once
def without_candidates(bank: tuple[str, ...], candidates: tuple[str, ...]) -> tuple[str, ...]:
    """The bank without what a candidate says too, in other words' forms perhaps; it is told what was taken out.

    Args:
        bank: the texts.
        candidates: class names.

    Raises:
        InputError: when nothing is left of it.
    """
    known = {_meaning(name): name for name in candidates}
    out = [text for text in bank if _meaning(text) in known]
    if len(out) == len(bank):
        raise InputError("every text of the bank says what a class says; a bank has to mean something else.")
    if out:
        others = f" and {len(out) - 1} more" if len(out) > 1 else ""
        same = known[_meaning(out[0])]
        log.warning(
            "taken out of the bank, as it says the same as a class: '%s' ('%s')%s", cut(out[0]), cut(same), others
        )
    return tuple(text for text in bank if _meaning(text) not in known)


def _meaning(text: str) -> frozenset[str]:
    """The stems of its words: `riding a bike` and `ride bike` are one."""
    words = re.findall(r"\w+", as_read(text).replace("_", " "))
    return frozenset(_stem(word) for word in words if word not in _ARTICLES) or frozenset({text})


def _stem(word: str) -> str:
    stem = word.removesuffix("s")
    stem = stem.removesuffix("ing") if len(stem) > 5 else stem
    stem = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem  # run, running
    return stem.removesuffix("e") if len(stem) > 2 else stem
