"""Text that stands in a picture, a page or on the terminal: names of videos and classes, whatever they hold."""

import math
import unicodedata

from prompt_video.io.readable import readable

MOST_LETTERS = 120  # of a name on the terminal; files have all of them


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


def clock(seconds: float, *, tenths: bool = False) -> str:
    """A time as ``m:ss`` or ``h:mm:ss``, and with ``tenths`` as ``m:ss.t`` or ``h:mm:ss.t``."""
    whole, tenth = divmod(round(10 * seconds), 10) if tenths else (round(seconds), 0)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f"{text}.{tenth}" if tenths else text


def span_text(start_sec: float, end_sec: float) -> str:
    """A span as minutes and seconds, rounded outwards: ``1:05-1:13``."""
    # What the file's time stamps add to a round number is not to make a second of its own.
    start, end = math.floor(start_sec + 0.01), math.ceil(end_sec - 0.01)
    return f"{clock(float(start))}-{clock(float(end))}"


def class_text(name: str) -> str:
    """A class name for a table on the terminal: cut where it would fill the screen."""
    return shortened(plain(name), MOST_LETTERS)


def path_text(path: object) -> str:
    """A path likewise; its end stays, which tells files of one folder apart."""
    return shortened(readable(path)[::-1], MOST_LETTERS)[::-1]
