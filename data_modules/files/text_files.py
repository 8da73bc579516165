"""Lists of any origin as text, rows or JSON: the one strict reader, whose messages name file and line.

What cannot be one thing alone is refused rather than guessed: an encoding that no mark names, a quote that is not
closed, a key that stands twice. Text is UTF-8, or UTF-16 where its first two bytes say so, as PowerShell and Excel
write it; bytes of cp1252 could be those of any other alphabet. Lines end as on any system, and letters with accents are
composed (Unicode NFC), so that a name is one name however its file or its list was written.
"""

import codecs
import csv
import gzip
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from stat import S_ISREG
from zlib import error as ZlibError

from data_modules.errors import InputError

MOST_BYTES = 1 << 30  # of a list, unpacked: the largest of the field's, of ten million captions, have half of that
_PIECE_BYTES = 1 << 20  # that are read at a time

# Escapes of JSON: first a whole pair of halves, then what is no character, then any other.
_ESCAPES = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u(?:[dD][89a-fA-F]..|0000))|.)", re.DOTALL)
_SUSPECT = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
_MANY_DIGITS = re.compile(r"\d{4300}")  # Python reads no longer numbers


def composed(text: str) -> str:
    """With each accent in one character with its letter, as most programs write it; some file systems do not."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def cut(text: str, letters: int = 80) -> str:
    """No more of a text than fits a message."""
    return text if len(text) <= letters else f"{text[: letters - 3]}..."


def excerpt(value: object, letters: int = 80) -> str:
    """A value as JSON, no more of it than fits a message."""
    try:
        return cut(json.dumps(value), letters)
    except RecursionError:
        return f"a {type(value).__name__} of many levels"


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """A text file, gzip or not, with or without a byte order mark; every line ends as on Unix.

    Args:
        path: a regular file; devices and pipes are not opened.
        most_bytes: that it may have, unpacked.

    Raises:
        InputError: when it cannot be read, is larger, or is neither UTF-8 nor UTF-16 with a byte order mark.
    """
    data = _read_bytes(path, most_bytes)
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("latin-1" if encoding == "utf-8-sig" else encoding, "replace")
        line = _lines_before(before)
        said = "this is not UTF-8 text; save the file as UTF-8, such as by `iconv -f cp1252 -t utf-8`"
        if encoding == "utf-16":
            said = "this begins as UTF-16 text and is none; save the file as UTF-8"
        raise InputError(f"{path}, line {line}: {said}.") from None
    if "\0" in text:
        raise InputError(f"{path}, line {_lines_before(text[: text.index(chr(0))])}: this is not a text file.")
    return composed(text.replace("\r\n", "\n").replace("\r", "\n"))


def read_lines(path: Path, most_bytes: int = MOST_BYTES) -> Iterator[tuple[int, str]]:
    """The number of each line that is not blank, from 1, and its text without blanks around it; see `read_text`."""
    # Not `splitlines`, which also divides at marks that may stand in a name.
    for number, line in enumerate(read_text(path, most_bytes).split("\n"), start=1):
        if text := line.strip():
            yield number, text


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row of a CSV that is not blank, and the number of the line where it begins.

    Raises:
        InputError: when the file cannot be read, or a row: a quote that is never closed would swallow those below.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True, skipinitialspace=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(
                f"{path}, line {line}: the row that begins here cannot be read ({error}); close every quote, and write "
                "one that belongs to a quoted text twice."
            ) from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def read_table(
    path: Path, needed: Sequence[str], optional: Sequence[str], hint: str
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV with a header, by the names of its columns, in any order.

    Args:
        path: the file.
        needed: columns that must be there.
        optional: those that may be there; others are refused.
        hint: how to write a cell with a comma, for the message on rows of another length.

    Raises:
        InputError: when the header or a row is not as it should be; cells need not be filled.
    """
    header: list[str] = []
    for line, cells in csv_rows(path):
        if not header:
            header = [cell.strip().lower() for cell in cells]
            names = set(header)
            if len(names) < len(header) or not set(needed) <= names <= {*needed, *optional}:
                plain = ",".join(needed)
                other = f" or {','.join([plain, *optional])}" if optional else ""
                raise InputError(f"{path}, line {line}: the header must be {plain}{other}, not {excerpt(cells)}.")
        elif len(cells) != len(header):
            raise InputError(
                f"{path}, line {line}: {len(cells)} columns where the header has {len(header)}: {excerpt(cells)}; "
                f"{hint}."
            )
        else:
            yield line, dict(zip(header, cells, strict=True))
    if not header:
        other = f"[,{','.join(optional)}]" if optional else ""
        raise InputError(f"{path}, line 1: the file is empty; it needs the header {','.join(needed)}{other}.")


def read_json(path: Path) -> object:
    """What a JSON file holds; see `parse_json`."""
    return parse_json(read_text(path), path)


def parse_json(text: str, path: Path, line: int = 1) -> object:
    """JSON in which every key stands once and every text is one.

    Args:
        text: all of it.
        path: of its file, for messages.
        line: where it begins there.

    Raises:
        InputError: when it is none, or could be read in two ways.
    """
    _refuse_halves(text, path, line)
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except InputError as error:
        raise InputError(f"{path}{f', line {line}' if line > 1 else ''}: {error}") from None
    except RecursionError:
        raise InputError(f"{path}, line {line}: this is nested too deeply to be a list.") from None
    except json.JSONDecodeError as error:
        line += error.lineno - 1
        raise InputError(f"{path}, line {line}: this is not valid JSON: {error.msg} (column {error.colno}).") from None
    except ValueError:
        number = _MANY_DIGITS.search(text)
        line += _lines_before(text[: number.start()]) - 1 if number else 0
        raise InputError(f"{path}, line {line}: this is not valid JSON: a number has too many digits.") from None


def _read_bytes(path: Path, most_bytes: int) -> bytes:
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            kind = "a folder" if path.is_dir() else "a device or a pipe"
            raise InputError(f"{path} cannot be read: it is {kind}, not a file.")
        is_packed = path.suffix == ".gz"
        data = b""
        if is_packed or status.st_size <= most_bytes:
            with gzip.open(path) if is_packed else path.open("rb") as stream:
                # In pieces, since Python makes room for all that is asked for.
                pieces = iter(partial(stream.read, _PIECE_BYTES), b"")
                data = b"".join(islice(pieces, most_bytes // _PIECE_BYTES + 1))
        if max(len(data), 0 if is_packed else status.st_size) > most_bytes:
            raise InputError(f"{path} cannot be read: it has more than {most_bytes >> 10:,} KiB, too much for a list.")
        return data
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; check its name.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (EOFError, ZlibError, ValueError) as error:  # ValueError: a zero in the path
        raise InputError(f"{path} cannot be read: {error}.") from None


def _lines_before(text: str) -> int:
    """The number of the line that begins, or goes on, behind a text."""
    return text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1


def _refuse_halves(text: str, path: Path, line: int) -> None:
    """JSON can spell what is no character, and what no file's name, terminal or tokenizer takes."""
    if _SUSPECT.search(text) is None:
        return
    for match in _ESCAPES.finditer(text):
        if match[1]:
            line += _lines_before(text[: match.start()]) - 1
            raise InputError(f"{path}, line {line}: \\{match[1]} is no character: it is a zero, or half of a pair.")


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object; Python's reader would keep the last of two values under one key, and drop the first unseen."""
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise InputError(f"the key {excerpt(twice)} stands twice in one object; keep one, or make one list of both.")
    return content
