"""What a run learned, exported, is still what it learned."""

from pathlib import Path
from typing import Protocol

import torch

import prompt_video
from prompt_video.cli import main

TEXTS = ["a red square", "something nobody has learned"]


class Trained(Protocol):
    """What the fixtures of tasks train."""

    @property
    def checkpoint(self) -> Path: ...


def test_a_folder_of_a_run_scores_as_its_checkpoint(recognition: Trained, tmp_path: Path, videos: Path) -> None:
    folder = tmp_path / "hub"
    assert main(["export", "--ckpt", str(recognition.checkpoint), "--hub", str(folder)]) == 0
    video = videos / "flv_h264.flv"
    run, exported = prompt_video.load(recognition.checkpoint), prompt_video.load(folder)
    assert exported.class_names == run.class_names
    assert torch.equal(exported.score(video, TEXTS).probability, run.score(video, TEXTS).probability)


def test_a_folder_of_a_localization_finds_what_its_checkpoint_finds(
    localization: Trained, tmp_path: Path, videos: Path
) -> None:
    folder = tmp_path / "hub"
    assert main(["export", "--ckpt", str(localization.checkpoint), "--hub", str(folder)]) == 0
    video = videos / "cleaning_pool_h264.mp4"
    found = [prompt_video.load(path).segments(video, TEXTS) for path in (localization.checkpoint, folder)]
    assert found[0].segments
    assert found[1].segments == found[0].segments
    assert found[1].method == found[0].method == "detector"
