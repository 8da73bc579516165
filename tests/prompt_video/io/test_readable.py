"""Names that hold anything, as people read them, and in tables."""

import csv
import time
from pathlib import Path

import pytest

from data_modules.errors import InputError
from prompt_video.io.readable import check_unicode, escaped, readable, readable_lines
from prompt_video.io.spreadsheet import text_of, write_table
from prompt_video.reports.text_formatting import plain, shortened

EVIL = "\x1b[31mred\x07\u202efdp.exe\r\n\udcff"


def test_signs_that_do_something_stand_as_their_number() -> None:
    assert readable(EVIL) == r"\x1b[31mred\x07\u202efdp.exe\r\n\udcff"
    assert readable_lines("one\ntwo\t") == "one\ntwo\\t"
    kept = "naïve 体操 \u3000 👩\u200d👩\u200d👧 क\u200dष \N{EN DASH}"
    assert readable(kept) == kept
    assert readable(Path("a\nb.mp4")) == r"a\nb.mp4"
    assert plain(" a\n b\tc\x1b ") == r"a b c\x1b"
    assert escaped("<b>&\x1b") == r"&lt;b&gt;&amp;\x1b"


def test_long_names_are_cut_in_no_time() -> None:
    started = time.process_time()
    assert shortened("x" * 200_000, 120) == "x" * 119 + "…"
    assert shortened("体" * 200_000, 10) == "体" * 4 + "…"
    assert shortened("ab cd", 4) == "ab…"
    assert shortened("abc", 3) == "abc"
    assert time.process_time() - started < 2


def test_bytes_of_another_encoding_are_refused() -> None:
    check_unicode(["", "体操"])
    with pytest.raises(InputError, match="no valid text"):
        check_unicode(["fine", "caf\udce9"])


@pytest.mark.parametrize("cell", ["=1+1", "+A1", "-x.mp4", "@SUM(A1)", "'=1", "''-a"])
def test_no_cell_is_a_formula(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    write_table(path, (cell, "n"), [(cell, "-0.5"), ("'tis", -3), (EVIL, None), ("a\nb", "-inf")])
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header == ["'" + cell, "n"]
    assert rows == [["'" + cell, "-0.5"], ["'tis", "-3"], [readable_lines(EVIL), ""], ["a\nb", "-inf"]]
    assert [text_of(row[0]) for row in rows[:2]] == [cell, "'tis"]
