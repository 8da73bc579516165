"""Names and messages as people can read them, on the terminal, in tables and in pages."""

import html
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable
from typing import Any

from data_modules.errors import InputError

COMMANDS = ("prompt-video ", "make ", "wandb ", "pip ")  # to be copied in one piece
_JOINERS = "\u200c\u200d"  # seen in no way but in how their neighbours are drawn; some scripts and emoji need them


def readable(name: object) -> str:
    r"""A name or a message as people may read it, on one line.

    Names of files and classes hold anything. What moves the cursor, colours, hides or reorders text, or is no valid
    unicode, stands as its number: ``\x1b``, ``\n``, ``\u202e``.
    """
    text = str(name)
    return text if text.isprintable() else "".join(map(_readable, text))


def readable_lines(message: object) -> str:
    """As `readable`, with the lines of a message that has several."""
    return "\n".join(map(readable, str(message).split("\n")))


def escaped(text: object) -> str:
    """As `readable_lines`, for HTML, to which no sign of it means anything."""
    return html.escape(readable_lines(text))


def wrapped(message: str, width: int, behind: str = "") -> str:
    """Sentences broken between words, where a terminal would break them within; paths and commands stay whole.

    Args:
        message: of some lines; one that is indented and begins as a command does is left as it is.
        width: of the terminal, in columns.
        behind: begins the lines that a line is continued on.
    """

    def of_one(line: str) -> str:
        words, depth = line.lstrip(" "), len(line) - len(line.lstrip(" "))
        if len(line) <= width or (depth and words.startswith(COMMANDS)):
            return line
        indent = behind or " " * (depth and depth + 2)
        return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)

    return "\n".join(map(of_one, message.split("\n")))


def width_of(stream: Any) -> int | None:  # noqa: ANN401 - whatever can be written to
    """Columns of the terminal that a stream goes to; None where it goes elsewhere."""
    return shutil.get_terminal_size().columns if stream is not None and stream.isatty() else None


def told_on(stream: Any, message: str) -> str:  # noqa: ANN401 - likewise
    """A message as `wrapped` where the stream is a terminal; in files and pipes a sentence is one line."""
    width = width_of(stream)
    return message if width is None else wrapped(message, width)


def check_unicode(texts: Iterable[str]) -> None:
    """Refuse texts that hold bytes of another encoding, which no tokenizer reads.

    Raises:
        InputError: with the first of them.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"this is no valid text: '{text[:60]}'; write it in UTF-8.") from error


def _readable(sign: str) -> str:
    if sign.isprintable() or sign in _JOINERS or unicodedata.category(sign) == "Zs":
        return sign
    return sign.encode("unicode_escape").decode()
