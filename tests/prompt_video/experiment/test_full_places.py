"""Disks that are full, fill up or are read-only, under whatever writes; and two of a kind at once."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from prompt_video.cli import main
from prompt_video.search.index import VideoIndex
from tests.slowed import Start

pytestmark = pytest.mark.slow
COMMAND = """
import os
out = sys.argv.pop(1)
for number in (1, 2):
    os.dup2(os.open(out, os.O_CREAT | os.O_WRONLY | os.O_APPEND), number)
from prompt_video.cli import main
sys.exit(main())
"""
Disk = Callable[[str], Path]


class Trained(Protocol):
    """What `train` leaves."""

    folder: Path
    root: Path

    @property
    def checkpoint(self) -> Path: ...


def words(verb: str, disk: Path, given: Trained, examples: Path) -> list[str]:
    """A command that writes to a disk."""
    own, video = disk / "own.ckpt", str(given.root / "spinning" / "0.mp4")
    if verb == "calibrate" and not own.exists():
        own.write_bytes(given.checkpoint.read_bytes())
    return {
        "label": ["label", video, "--classes=spinning", f"--csv={disk / 'a.csv'}", f"--json={disk / 'a.json'}"],
        "index": ["index", str(given.root), "--frozen", f"--out={disk / 'index'}", "--quiet"],
        "predict": ["predict", video, f"--ckpt={given.checkpoint}", f"--out={disk / 'out'}"],
        "calibrate": ["calibrate", str(given.root), f"--ckpt={own}"],
        "export": ["export", f"--ckpt={given.checkpoint}", f"--hub={disk / 'hub'}"],
        "report": ["report", str(given.folder), f"--out={disk / 'report.html'}"],
        "teach": ["teach", str(examples), f"--runs={disk / 'runs'}", f"--features_root={disk / 'features'}"],
    }[verb]


@pytest.fixture
def spare(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr("tempfile.tempdir", folder)
        yield Path(folder)


def heard(capsys: pytest.CaptureFixture[str]) -> str:
    return "".join(capsys.readouterr())


@pytest.mark.parametrize("verb", ["label", "index", "predict", "calibrate", "export", "report", "teach"])
def test_what_cannot_be_written_to_is_found_first(
    verb: str,
    recognition: Trained,
    few_clips: Path,
    make_disk: Disk,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = make_disk("4m")
    arguments = words(verb, disk, recognition, few_clips)
    with monkeypatch.context() as patch:
        patch.setattr("prompt_video.backbones.backbone.FrozenBackbone.encode_frames", pytest.fail)
        for reason in ("Read-only file system", "No space left on device"):
            if reason == "No space left on device":
                left = os.statvfs(disk)
                (disk / "filling").write_bytes(bytes(left.f_bavail * left.f_frsize))
            else:
                subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            assert main(arguments) == 1
            said = heard(capsys)
            assert reason in said
            assert "written" in said
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


@pytest.mark.parametrize(
    ("verb", "size"),
    [
        ("label", "4k"),
        ("index", "8k"),
        ("predict", "8k"),
        ("calibrate", "2500k"),
        ("export", "40k"),
        ("report", "4k"),
        ("teach", "200k"),
    ],
)
def test_a_disk_that_fills_up_loses_nothing(
    verb: str,
    size: str,
    recognition: Trained,
    few_clips: Path,
    make_disk: Disk,
    spare: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = make_disk(size)
    monkeypatch.setattr("prompt_video.teaching.teacher.METHODS", {"text_probe": 1.0})
    arguments = words(verb, disk, recognition, few_clips)
    content = recognition.checkpoint.read_bytes()
    assert main(arguments) == 1
    said = heard(capsys)
    assert "No space left on device" in said
    assert not list(disk.rglob("*.tmp"))
    if verb in ("label", "predict", "report"):
        assert "What was found is in" in said
        assert all(path.stat().st_size for path in spare.rglob("*"))
        assert any(path.is_file() for path in spare.rglob("*"))
    if verb == "calibrate":
        assert (disk / "own.ckpt").read_bytes() == content
        assert "threshold" in said, "what was found is told"
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    assert main(arguments) == 0


def test_two_write_one_index(tmp_path: Path, recognition: Trained, start_python: Start) -> None:
    arguments = ["index", str(recognition.root), "--frozen", f"--out={tmp_path / 'index'}", "--quiet"]
    at_once(tmp_path, arguments, start_python)
    index = VideoIndex(tmp_path / "index")
    assert index.num_videos == 16


def test_two_lessons_with_one_name(tmp_path: Path, recognition: Trained, few_clips: Path, start_python: Start) -> None:
    at_once(tmp_path, words("teach", tmp_path, recognition, few_clips), start_python)
    lessons = [json.loads(path.read_text()) for path in (tmp_path / "runs" / "taught").glob("*/lesson.json")]
    assert len(lessons) == 2
    assert lessons[0]["method"] == lessons[1]["method"]


def at_once(folder: Path, arguments: list[str], start_python: Start) -> None:
    logs = [folder / "first", folder / "second"]
    processes = [start_python(COMMAND, str(log), *arguments) for log in logs]
    for process, log in zip(processes, logs, strict=True):
        process.join()
        assert process.exitcode == 0, log.read_text()
