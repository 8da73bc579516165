import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest

from data_modules.annotations.list_files import ClassTable, known_records, read_list, read_rows
from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.files.file_index import stem_of

NAMES = ["brush hair", "pull up", "sword", "draw sword", "catch it, then drop it"]
LABELS = ["brush_hair", "pullup", "sword", "draw_sword", "catch it, then drop it"]


def record(name: str, _: Sequence[int]) -> Record:
    return Record(stem_of(name), Path("videos") / f"{stem_of(name)}.avi", -1)


def read(folder: Path, text: str | bytes, name: str = "list.txt") -> list[tuple[str, int]]:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [(made.video_id, made.target) for made in read_list(path, NAMES, LABELS, record).records]


@pytest.mark.parametrize(
    ("row", "video", "target"),
    [
        ("v.avi 1", "v", 1),
        ("v 1", "v", 1),
        ("a/b/v.avi\t1", "v", 1),
        ("my long name.avi 2", "my long name", 2),
        ("my long name 2", "my long name", 2),
        ("v.avi brush hair", "v", 0),
        ("v.avi brush_hair", "v", 0),
        ("my video draw sword", "my video", 3),
        ("v,1", "v", 1),
        ("v.mp4, pull up", "v", 1),
        ('"one, two.mp4",pullup', "one, two", 1),
        ("one, two.mp4 2", "one, two", 2),
        ('v.webm,"catch it, then drop it"', "v", 4),
        ("v.webm catch it, then drop it", "v", 4),
        ("brush hair/v_w._Eng", "v_w._Eng", 0),
        ("brush_hair/my video.avi", "my video", 0),
        ("brush hair/my video", "my video", 0),
        ("wave/v.avi 2", "v", 2),
        ("v.avi 300 2", "v", 2),
        ("../../etc/v.avi 2", "v", 2),
        ("/etc/v.avi 2", "v", 2),
    ],
)
def test_rows_as_the_field_writes_them(tmp_path: Path, row: str, video: str, target: int) -> None:
    assert read(tmp_path, row) == [(video, target)]


def test_a_csv_with_or_without_a_header_and_with_columns_in_between(tmp_path: Path) -> None:
    expected = [("v", 1), ("w", 0)]
    assert read(tmp_path, "v.avi,1\nw.avi,brush hair\n", "list.csv") == expected
    assert read(tmp_path, "video,label\nv.avi,1\nw.avi,brush hair\n", "list.csv") == expected
    assert read(tmp_path, "path,frames,label\nv.avi,300,1\nw.avi,20,0\n", "list.csv") == expected


def test_windows_line_ends_a_byte_order_mark_blank_lines_and_gzip(tmp_path: Path) -> None:
    data = "\ufeffv.avi 1\r\n\r\n  \r\nw.avi 0\r\n".encode()
    assert read(tmp_path, data) == [("v", 1), ("w", 0)]
    assert read(tmp_path, gzip.compress(data), "list.txt.gz") == [("v", 1), ("w", 0)]
    assert [row.line for row in read_rows(tmp_path / "list.txt")] == [1, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v.avi 1\na/v.mp4 1\n", r"list.txt, line 2: a/v.mp4 stands already on line 1"),
        ("v.avi 1\nw.avi run\n", r"list.txt, line 2: 'run' is no class .* 5 classes 'brush hair' to .* and 0 to 4"),
        ("v.avi 5\n", r"list.txt, line 1: '5' is no class"),
        ("v.avi -1\n", r"list.txt, line 1: '-1' is no class"),
        ("v.avi hand sword\n", r"line 1: 'hand sword' is no class"),
        ("run/v.avi\n", r"line 1: 'run/v.avi' has no label, and its folder is no class"),
        ("v.avi\n", r"line 1: 'v.avi' has no label"),
        (b"v.avi 1\n\xff\xfe.avi 1\n", r"list.txt, line 2: this is not UTF-8 text"),
        (b"v.avi 1\n\x00\n", r"list.txt, line 2: this is not a text file"),
        (",1\n", r"line 1: the row names no video"),
        ("", r"list.txt names no video"),
        ("\n \n", r"list.txt names no video"),
    ],
)
def test_a_bad_list_is_named_with_its_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*nowhere.txt"):
        list(read_rows(tmp_path / "nowhere.txt"))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_rows(tmp_path))
    (tmp_path / "list.txt.gz").write_bytes(gzip.compress(b"v.avi 1\n" * 100)[:-12])
    with pytest.raises(InputError, match=r"list.txt.gz cannot be read"):
        list(read_rows(tmp_path / "list.txt.gz"))


def test_class_names_go_before_numbers() -> None:
    table = ClassTable(["zero", "0"], ["null", "one"])
    assert [table.target(text) for text in ("zero", "0", "1", "null", "one", "2")] == [0, 1, 1, 0, 1, None]


def test_known_records_are_found_by_as_much_of_the_path_as_it_takes(tmp_path: Path) -> None:
    known = [Record(video_id, tmp_path / video_id, -1) for video_id in ("a/1.mp4", "b/1.mp4", "b/2.mp4")]
    find = known_records(known)
    assert find("b/1.mp4", [0]) == known[1]
    assert find("/data/b/1.avi", [0]).video_id == "b/1.mp4"
    assert find("2", [1]).video_id == "b/2.mp4"
    with pytest.raises(InputError, match=r"1.mp4 may be .*a/1.mp4 or .*b/1.mp4"):
        find("1.mp4", [0])
    with pytest.raises(InputError, match=r"3.mp4 is none of the videos"):
        find("3.mp4", [0])
