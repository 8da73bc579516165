import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from data_modules.errors import InputError
from data_modules.files.atomic import remove_leftovers, write_whole


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, lambda temporary: temporary.write_text("old"))

    def fail(temporary: Path) -> None:
        temporary.write_text("ne")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("replace", "text"), [(True, "new"), (False, "old")])
def test_what_is_there_is_replaced_only_if_wished(tmp_path: Path, replace: bool, text: str) -> None:
    path = tmp_path / "file"
    for content in ("old", "new"):
        write_whole(path, lambda temporary, content=content: temporary.write_text(content), replace=replace)  # type: ignore[misc]
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_file_systems_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write_whole(tmp_path / "file", lambda temporary: temporary.write_text("new"), replace=False)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["new"]


def test_only_dead_writers_leftovers_are_removed(tmp_path: Path) -> None:
    alive = tmp_path / f".shard.0a.{os.getpid()}@{socket.gethostname()}.tmp"
    elsewhere = tmp_path / ".shard.0b.1@elsewhere.tmp"
    ancient = tmp_path / ".shard.0c.1@elsewhere.tmp"
    dead = tmp_path / f".shard.0d.{2**22 + 1}@{socket.gethostname()}.tmp"  # no process has so high a number
    for path in (alive, elsewhere, ancient, dead):
        path.touch()
    os.utime(ancient, (0, 0))
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([alive, elsewhere])


def test_what_was_there_before_is_kept_under_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, before = tmp_path / "last", tmp_path / "previous"

    def write(text: str) -> None:
        write_whole(path, lambda temporary: temporary.write_text(text), before=before)

    write("1")
    assert list(tmp_path.iterdir()) == [path]
    write("2")
    write("3")
    assert (path.read_text(), before.read_text()) == ("3", "2")

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write("4")
    assert (path.read_text(), before.read_text()) == ("4", "3")
    assert sorted(tmp_path.iterdir()) == [path, before]


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "inside", tmp_path / ("n" * 300)):
        with pytest.raises(InputError, match=r"cannot be written: (Not a directory|File name too long)"):
            write_whole(path, lambda temporary: temporary.write_text("new"))
    write_whole(tmp_path / ("n" * 250), lambda temporary: temporary.write_text("new"))
    assert len(list(tmp_path.iterdir())) == 2


def test_no_room_leaves_the_old_file(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from data_modules.files.atomic import WriteError, write_whole
path = Path(sys.argv[1])
write_whole(path, lambda partial: partial.write_bytes(b"old"))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(path, lambda partial: partial.write_bytes(bytes(5000)))
except WriteError as error:
    sys.exit(0 if str(error) == f"{path} cannot be written: File too large." else 2)
sys.exit(3)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "file")], check=True)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]
