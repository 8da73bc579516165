"""Places for results: tried before the work, and not the end of what was computed."""

import json
import stat
from pathlib import Path

import pytest

from data_modules.errors import InputError
from prompt_video.io.outputs import check_file, check_folder, save, write_json

FULL = Path("/dev/full")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is a folder: name a file in it"),
        ("file/x.json", "one of its folders is a file"),
        ("x" * 300, "File name too long"),
        (f"{'x' * 300}/x.json", "File name too long"),
        ("a\ud800", "surrogates not allowed"),
        ("a\0b", "null"),
    ],
)
def test_what_cannot_be_written_is_found_before_the_work(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=rf"--json .*{reason}"):
        check_file(tmp_path / name, "--json")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_dash_is_no_file() -> None:
    for check in (check_file, check_folder):
        with pytest.raises(InputError, match="--out - would be called so on disk"):
            check(Path("-"), "--out")


def test_trying_leaves_nothing(tmp_path: Path) -> None:
    check_file(tmp_path / "a" / "b" / "c.json", "--json")
    check_file(tmp_path / ("x" * 250), "--json")
    check_folder(tmp_path / "d", "--srt")
    check_file(None, "--csv")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="--srt"):
        check_folder(Path("/proc/none"), "--srt")


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    check_file(FULL, "--json")
    assert not save(FULL, lambda path: write_json(path, {"a": 1}), "figures:")
    said = capsys.readouterr()
    assert "/dev/full cannot be written: No space left on device. What was found is in" in said.err
    (spare,) = tmp_path.rglob("full")
    assert json.loads(spare.read_text()) == {"a": 1}
    assert stat.S_ISCHR(FULL.stat().st_mode), "a device is not replaced by a file"
    assert save(tmp_path / "new" / "x", lambda path: write_json(path, []), "figures:")
    assert save(None, lambda path: write_json(path, []), "figures:")
    assert capsys.readouterr().out == f"figures: {tmp_path}/new/x\n"


def test_json_is_what_every_program_reads(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 240)  # no name beside it may be longer
    write_json(path, {"a": [float("nan"), float("-inf"), (1.5, "\udcff é")], "b": True})
    text = path.read_text(encoding="utf-8")
    assert "é" in text
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None, None, [1.5, "\udcff é"]], "b": True}
