"""Text that stands in a picture, a page or on the terminal: names of videos and classes, whatever they hold."""

import math
import unicodedata

_JOINERS = "\u200c\u200d"  # seen in no way but in how their neighbours are drawn; some scripts and emoji need them


def readable(name: object) -> str:
    r"""A name or a message as people may read it, on one line.

    Names of files and classes hold anything. What moves the cursor, colours, hides or reorders text, or is no valid
    unicode, stands as its number: ``\x1b``, ``\n``, ``\u202e``.
    """
    return "".join(map(_readable, str(name)))


def readable_lines(message: object) -> str:
    """As `readable`, with the lines of a message that has several."""
    return "\n".join(map(readable, str(message).split("\n")))


def _readable(sign: str) -> str:
    if sign.isprintable() or sign in _JOINERS or unicodedata.category(sign) == "Zs":
        return sign
    return sign.encode("unicode_escape").decode()


def plain(text: str) -> str:
    """Running text on one line, see `readable`."""
    return readable(" ".join(text.split()))


def shortened(text: str, width: int) -> str:
    """Cut to so much room, with an ellipsis."""
    if room(text) <= width:
        return text
    left = width - 1
    for place, sign in enumerate(text):
        if (left := left - room(sign)) < 0:
            return f"{text[:place].rstrip()}…"
    return text


def room(text: str) -> int:
    """How many Latin letters take as much room: East Asian signs and emoji take two each."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def clock(seconds: float) -> str:
    """A time as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def span_text(start_sec: float, end_sec: float) -> str:
    """A span as minutes and seconds, rounded outwards: ``1:05-1:13``."""
    # What the file's time stamps add to a round number is not to make a second of its own.
    start, end = math.floor(start_sec + 0.01), math.ceil(end_sec - 0.01)
    return f"{clock(float(start))}-{clock(float(end))}"
