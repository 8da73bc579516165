"""Made-up class names, which say nothing: what shows whether a model reads the names of its classes."""

from functools import cache
from pathlib import Path

from data_modules.files.text_files import read_text


def nonsense_names(count: int) -> list[str]:
    """So many names of made-up words, all different and always the same: two words each, three behind the first 3,540.

    Args:
        count: as many as there are classes.
    """
    words = _words()
    num_words = len(words)
    pairs = num_words * (num_words - 1)
    names = []
    for number in range(count):
        # The second word is 1 further than the first, and with every round through the words 1 more: never the first.
        second = (number + 1 + number // num_words % (num_words - 1)) % num_words
        third = [words[number // pairs % num_words]] if number >= pairs else []
        names.append(" ".join([words[number % num_words], words[second], *third]))
    return names


@cache
def _words() -> list[str]:
    """No words of English, nor names of anything that is to be seen."""
    return read_text(Path(__file__).with_name("nonsense_words.txt")).split()
