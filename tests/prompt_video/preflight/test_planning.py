"""What extraction will cost is reckoned from a few videos; an extraction that is measured comes to the same."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from data_modules import VideoFolder
from data_modules.errors import InputError
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.cli import main
from prompt_video.preflight.planning import Measured, Plan, plan

MEASURED = Measured(10, 0, 100, 4.0, 2.0, 10_000, 1_000)


@pytest.mark.parametrize(
    ("workers", "device", "decode", "encode", "total"),
    [
        (0, "cpu", 40, 20, 60),  # one after the other
        (0, "cuda", 40, 20, 60),
        (4, "cuda", 10, 20, 20),  # beside each other
        (16, "cuda", 5, 20, 20),  # no more than there are cores
        (1, "cuda", 40, 20, 40),
        (4, "cpu", 10, 25, 25),  # decoders take their part of the cores
    ],
)
def test_what_goes_on_at_once(workers: int, device: str, decode: float, encode: float, total: float) -> None:
    made = Plan(MEASURED, todo=100, stored=0, workers=workers, cores=8, device=device)
    assert (made.decode_sec, made.encode_sec, made.total_sec) == (decode, encode, total)
    assert made.bottleneck == ("decoding" if decode > encode else "encoding")
    assert made.stored_bytes == 10_000


def videos_of(make_videos: Callable[[Path, int], Path], root: Path, count: int) -> Path:
    """Two rendered videos many times."""
    videos = make_videos(root, 2)
    for video in sorted(videos.rglob("*.mp4")):
        for number in range(count):
            shutil.copy(video, video.with_name(f"{video.stem}_{number}.mp4"))
    return videos


def test_the_command_says_hours_and_bytes(
    tmp_path: Path, make_videos: Callable[[Path, int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = [f"--data.root={videos_of(make_videos, tmp_path / 'videos', 5)}", "--data.num_workers=0"]
    data += [f"--data.features_root={tmp_path / 'features'}", "--backbone=tiny", "--quiet=true"]
    out = tmp_path / "plan.json"
    assert main(["plan", "--config=folder_closed", *data, "--samples=3", f"--out={out}"]) == 0
    told = capsys.readouterr().out
    assert "24 videos are to be computed, 0 are stored; measured on 3" in told
    found = json.loads(out.read_text())
    assert found["total_sec"] == pytest.approx(found["decode_sec"] + found["encode_sec"])
    assert not (tmp_path / "features").exists(), "what was measured is thrown away"
    assert main(["plan", "--config=folder_closed", *data, "--data.features=off"]) == 1
    assert "nothing is to be computed" in capsys.readouterr().err


@pytest.mark.slow
def test_a_plan_against_the_extraction_that_follows(tmp_path: Path, make_videos: Callable[[Path, int], Path]) -> None:
    backbone = FrozenBackbone("tiny")
    videos = videos_of(make_videos, tmp_path / "videos", 19)
    data = VideoFolder(videos, features_root=tmp_path / "features", preprocessing=backbone.frames, num_workers=0)
    ratios = []
    for _ in range(3):  # the machine may be busy with something else during one of them
        found = plan(data, backbone, samples=20)
        before = time.perf_counter()
        data.extract(backbone)
        ratios.append(found.total_sec / (time.perf_counter() - before))
        size = sum(path.stat().st_size for path in (tmp_path / "features").rglob("*") if path.is_file())
        assert found.stored_bytes == pytest.approx(size, rel=0.25)
        shutil.rmtree(tmp_path / "features")
    # A quarter on a quiet machine; here it only has to be the same order, whatever else goes on meanwhile.
    assert 0.4 < sorted(ratios)[1] < 2.5, ratios


def test_nothing_left_to_do(tmp_path: Path, make_videos: Callable[[Path, int], Path]) -> None:
    backbone = FrozenBackbone("tiny")
    videos = make_videos(tmp_path / "videos", 2)
    data = VideoFolder(videos, features_root=tmp_path / "features", preprocessing=backbone.frames, num_workers=0)
    assert plan(data, backbone, samples=1).todo == 4
    data.extract(backbone)
    with pytest.raises(InputError, match="features of 4 videos are stored"):
        plan(data, backbone, samples=1)
