"""What the page answers, without a browser."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import prompt_video
from data_modules.annotations.activitynet_format import Detection
from data_modules.errors import BrokenVideoError, InputError
from prompt_video.cli import main
from prompt_video.inference.results import Ranked, SimilarityCurve, VideoSegments
from prompt_video.web import drawing
from prompt_video.web.answers import Answers
from prompt_video.web.limits import Limits, texts_of

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def upload(tmp_path: Path, shapes: Path) -> Callable[[str], Path]:
    """Puts the video into the folder for uploads."""

    def put(name: str) -> Path:
        folder = tmp_path / "uploads"
        folder.mkdir(exist_ok=True)
        return (
            (folder / name).resolve() if (folder / name).write_bytes((shapes / "square.mp4").read_bytes()) else folder
        )

    return put


def test_texts_come_by_line_or_by_comma() -> None:
    assert texts_of("slicing onions, juggling balls,, juggling balls") == ["slicing onions", "juggling balls"]
    assert texts_of("a man runs, then jumps\n a dog \n\n") == ["a man runs, then jumps", "a dog"]
    with pytest.raises(InputError, match="no text yet"):
        texts_of(" , ")


def test_only_uploads_are_read(tmp_path: Path, shapes: Path, upload: Callable[[str], Path]) -> None:
    limits = Limits(tmp_path / "uploads")
    video = upload("a.mp4")
    assert limits.checked(str(video)) == video
    link = video.parent / "link.mp4"
    link.symlink_to(shapes / "square.mp4")
    for outside in (shapes / "square.mp4", video.parent / ".." / "other.mp4", link, video.parent, "/etc/hostname"):
        with pytest.raises(InputError, match="no video that was uploaded here"):
            limits.checked(str(outside))
    with pytest.raises(InputError, match="no video yet"):
        limits.checked(None)


def test_limits_are_told(tmp_path: Path, upload: Callable[[str], Path]) -> None:
    video = upload("a.mp4")
    with pytest.raises(InputError, match=r"0:03 long; up to 0:02 are taken \(--max_duration\)"):
        Limits(video.parent, max_sec=2.0).checked(str(video))
    with video.open("ab") as file:
        file.write(bytes(2_000_000))
    with pytest.raises(InputError, match=r"has 2 MB; up to 1 MB are taken \(--max_size\)"):
        Limits(video.parent, max_mb=1).checked(str(video))
    video.write_bytes(b"no video")
    with pytest.raises(BrokenVideoError):
        Limits(video.parent).checked(str(video))


def test_a_video_is_scored_and_segmented(upload: Callable[[str], Path]) -> None:
    video = upload("a.mp4")
    answers = Answers(prompt_video.load(), Limits(video.parent))
    names = [f"class {number}" for number in range(20)]
    ranking, curve = answers.score(str(video), "\n".join([*names, EVIL, "word " * 200]))
    assert ranking.count("<tr>") == 1 + drawing.MANY
    assert "12 more are less likely" in ranking
    assert curve.count("<polyline") == drawing.LINES
    found = answers.segments(str(video), f"a square moving right\n{EVIL}")
    assert "without a detector" in found
    assert EVIL not in ranking + curve + found
    with pytest.raises(InputError, match="--index"):
        answers.search("a square")
    with pytest.raises(InputError, match="earlier search; search again"):
        answers.clip([], "1. square.mp4, 0:00 to 0:03 (0.500)")


def test_drawings_escape_and_shorten() -> None:
    text = EVIL + "long " * 100
    ranking = drawing.ranking([Ranked(text, 0.25, -0.5)], 1)
    assert "25.0%" in ranking
    assert "-0.500" in ranking
    times = torch.tensor([0.5, 1.5])
    curve = drawing.curve(
        SimilarityCurve(Path("v"), (text,), times, torch.tensor([[0.1], [0.3]]), 0.01, 1.0, 2.0), [text]
    )
    points = re.search(r'points="([^"]*)"', curve)
    assert points
    xs, ys = zip(*(map(float, point.split(",")) for point in points[1].split()), strict=True)
    assert xs == (0.0, 250.0, 750.0, 1000.0), "as wide as the player, from its first frame to its last"
    assert ys[1] == drawing.HEIGHT - drawing.MARGIN, "the lowest"
    assert ys[2] == drawing.MARGIN, "the highest"
    found = drawing.segments(VideoSegments(Path("v"), (text,), [Detection(text, 61.25, 75.5, 0.5)], 80.0, "detector"))
    assert "1:01.2" in found
    assert "1:15.5" in found
    assert "checkpoint&#39;s detector" in found
    assert "<img" not in ranking + curve + found
    assert "…" in ranking
    nothing = drawing.segments(VideoSegments(Path("v"), ("a",), [], 80.0, "detector"))
    assert "Nothing was found" in nothing


def test_what_the_page_needs_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)  # as if it were not installed
    assert main(["serve", "--ckpt", str(tmp_path / "none.ckpt")]) == 1
    assert "pip install 'prompt-video[serve]'" in capsys.readouterr().err
