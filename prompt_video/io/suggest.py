"""The nearest valid names to a mistyped one."""

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

MOST = 3
NEARLY, ENOUGH = 0.1, 0.6  # so much less alike than the nearest, and so much alike, others are told too


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence: ``; did you mean 'x' or 'y'?``, or a full stop where nothing is near."""
    close = get_close_matches(word, list(known), n=MOST, cutoff=0.5)
    likeness = [SequenceMatcher(None, name, word).ratio() for name in close]
    least = max(likeness[0] - NEARLY, ENOUGH) if close else 1.0
    near = [name for name, ratio in zip(close, likeness, strict=True) if ratio > least]
    names = [f"'{name}'" for name in near or close[:1]]
    if not names:
        return "."
    return f"; did you mean {', '.join(names[:-1])}{' or ' if len(names) > 1 else ''}{names[-1]}?"
