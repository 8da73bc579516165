"""Where memory runs out, one sentence names the settings that help."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from prompt_video.cli import main
from prompt_video.io.memory import out_of_memory
from prompt_video.model.video_text_model import VideoTextModel


def test_a_run_that_takes_too_much(
    tmp_path: Path,
    make_videos: Callable[[Path, int], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def too_much(*arguments: object) -> None:
        torch.empty(1 << 50)

    monkeypatch.setattr(VideoTextModel, "test_scores", too_much)
    videos = make_videos(tmp_path, 1)
    assert main(["label", str(next(videos.rglob("*.mp4"))), "--classes=a, b", "--device=cpu"]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "the memory of this machine ran out (" in told
    assert "--data.batch_size, --model.text_chunk" in told
    assert "Traceback" not in told


def test_what_it_came_of_counts_and_other_errors_are_none() -> None:
    wrapped = RuntimeError("in a step")
    wrapped.__cause__ = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore")
    said = out_of_memory(wrapped)
    assert said is not None
    assert said.startswith("the memory of the GPU ran out (CUDA out of memory. Tried to allocate 2.00 GiB.)")
    assert out_of_memory(ValueError("no")) is None
    assert "ran out (MemoryError)" in str(out_of_memory(MemoryError()))
