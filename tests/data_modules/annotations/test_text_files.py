import gzip
import os
from pathlib import Path

import pytest

from data_modules.errors import InputError
from data_modules.files.text_files import csv_rows, parse_json, read_lines, read_text


def write(folder: Path, data: bytes, name: str = "list.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_every_system(tmp_path: Path, end: str) -> None:
    path = write(tmp_path, end.join(["\ufeffone", "", " two ", "caf\u0065\u0301"]).encode())
    assert list(read_lines(path)) == [(1, "one"), (3, "two"), (4, "café")]
    rows = list(csv_rows(write(tmp_path, end.join(['a,"b', 'c"', ",", "d,e"]).encode())))
    assert rows == [(1, ["a", "b\nc"]), (4, ["d", "e"])]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            "path,label\na,caf\u00e9\n".encode("cp1252"),
            r"line 2: this is not UTF-8 text; save .* as UTF-8, such as by `iconv -f cp1252",
        ),
        ("a\rb\ré".encode("latin-1"), r"line 3: this is not UTF-8 text"),
        (b"\xff\xfea\0\n\0b\0\n\0\n", "line 3: this begins as UTF-16 text and is none; save the file as UTF-8"),
        (b"\xff\xfe" + "a\0".encode("utf-16-le"), r"line 1: this is not a text file"),
        ("a\n".encode("utf-32"), r"line 1: this is not a text file"),
        ("a\n".encode("utf-16-le"), r"line 1: this is not a text file"),
        (b"a\r\nb\0\n", r"line 2: this is not a text file"),
    ],
)
def test_other_encodings_are_refused_with_their_line(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"list.txt, {message}"):
        read_text(write(tmp_path, data))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("packed", [False, True])
def test_utf_16_that_says_so_is_read(tmp_path: Path, encoding: str, packed: bool) -> None:
    text = '\ufeffpath,label\r\nv/1.mp4,"cafe\u0301, \U0001f600"\r\n'
    data = text.encode(encoding)
    path = write(tmp_path, gzip.compress(data) if packed else data, "list.csv.gz" if packed else "list.csv")
    assert list(csv_rows(path)) == [(1, ["path", "label"]), (2, ["v/1.mp4", "caf\u00e9, \U0001f600"])]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b\n"c,d\ne,f\n', "line 2: the row that begins here cannot be read .*; close every quote"),
        ('a,b\nc,"d\ne,"f"\n', "line 2: the row that begins here"),
        ("a,b\nc," + "x" * 200_000, r"line 2: the row that begins here cannot be read .field larger than field limit"),
    ],
)
def test_a_quote_or_a_field_without_end(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(csv_rows(write(tmp_path, text.encode())))


def test_only_files_of_a_sane_size_are_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, kind in ((pipe, "a device or a pipe"), (Path("/dev/zero"), "a device or a pipe"), (tmp_path, "a folder")):
        with pytest.raises(InputError, match=f"{path} cannot be read: it is {kind}, not a file"):
            read_text(path)
    with (tmp_path / "huge.csv").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(InputError, match=r"huge.csv cannot be read: it has more than 1,048,576 KiB"):
        read_text(tmp_path / "huge.csv")
    bomb = write(tmp_path, gzip.compress(bytes(5000)), "bomb.csv.gz")
    with pytest.raises(InputError, match=r"bomb.csv.gz cannot be read: it has more than 4 KiB"):
        read_text(bomb, 4096)
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(InputError, match="cannot be read"):
            read_text(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n"a": 1,\n}', "line 9: this is not valid JSON"),
        ("[" * 100_000, "line 7: this is nested too deeply"),
        (f"[1,\n{'9' * 5000}]", "line 8: .* a number has too many digits"),
        ('["\\\\",\n"\\ud800"]', r"line 8: \\ud800 is no character"),
        ('["\\udc00\\ud800"]', r"line 7: \\udc00 is no character"),
        ('["\\u0000"]', r"line 7: \\u0000 is no character"),
        ('{"a": 1, "b": 2, "a": 3}', 'line 7: the key "a" stands twice'),
    ],
)
def test_json_that_is_none_or_two_things(text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^list\.json, {message}"):
        parse_json(text, Path("list.json"), 7)


def test_json_with_whole_characters() -> None:
    assert parse_json(r'["\ud83d\ude00", "\\ud800", "é"]', Path("list.json")) == ["😀", r"\ud800", "é"]
