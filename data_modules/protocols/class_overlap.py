"""Which classes of one list stand in another by name: the same name, or nearly the same."""

import difflib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from snowballstemmer import stemmer

NEARLY = 0.9  # share of the letters of two names that agree, in order, where they are nearly the same
# Words that two actions may share without being alike.
_LITTLE = re.compile("an?|and|at|by|for|from|in|of|on|or|person|some(one|thing)?|the|to|with")
_LIGHT = frozenset(("do", "get", "make", "play", "put", "take", "use"))
_STEMMER = stemmer("english")
HOW = (
    "the same or nearly the same name: nine in ten letters equal, equal words after stemming, or all words of the one "
    "among those of the other"
)


def overlapping(class_names: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """Those of the names that are, or nearly are, in another list, each with the name that it is like.

    Capitals and underscores divide words, so that ``PlayingGuitar`` is "playing guitar". Names are alike, in the order
    in which a partner is chosen, where their letters are equal; their words are, in any order, after stemming; all
    words of the one are among the other's ("Basketball", "playing basketball"); or nine in ten letters are equal.

    Args:
        class_names: of one list.
        others: of another, such as the training classes.

    Source: the idea of TruZe (Gowda et al., 2021, arXiv 2107.13029), which looked at pairs by hand and at the meaning
    of words; a pair of quite other words with one meaning is not seen here.
    """
    by_letters = {_letters(name): name for name in reversed(others)}
    words = {name: _words(name) for name in others}
    partners = ((name, _partner(name, by_letters, words)) for name in class_names)
    return {name: partner for name, partner in partners if partner is not None}


def _partner(name: str, by_letters: Mapping[str, str], words: Mapping[str, frozenset[str]]) -> str | None:
    letters, own = _letters(name), _words(name)
    if letters in by_letters:
        return by_letters[letters]
    equal = (other for other, theirs in words.items() if theirs == own)
    within = (other for other, theirs in words.items() if own & theirs - _LIGHT and (own <= theirs or theirs <= own))
    near = (by_letters[found] for found in difflib.get_close_matches(letters, by_letters, 1, NEARLY))
    return next(equal, None) or next(within, None) or next(near, None)


@lru_cache(maxsize=4096)
def _letters(name: str) -> str:
    return "".join(re.findall(r"[^\W_]+", name.lower()))


@lru_cache(maxsize=4096)
def _words(name: str) -> frozenset[str]:
    """Stems, without little words unless there are no others."""
    words = re.findall(r"[^\W_]+", re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])", " ", name).lower())
    stems: list[str] = _STEMMER.stemWords([word for word in words if not _LITTLE.fullmatch(word)] or words)
    return frozenset(stems)
