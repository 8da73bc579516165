"""New videos with a checkpoint of any task: the same figures as from Python, in two files."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

import prompt_video
from prompt_video.cli import main


class Run(Protocol):
    """What the fixtures of tasks train."""

    folder: Path
    root: Path

    @property
    def checkpoint(self) -> Path: ...


@pytest.fixture
def predict(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]:
    """Runs the command; gives JSON and CSV that it has written."""

    def run(checkpoint: Path, *words: str | Path, code: int = 0) -> tuple[dict[str, Any], list[dict[str, str]]]:
        out = tmp_path / "out"
        assert main(["predict", *map(str, words), "--ckpt", str(checkpoint), "--out", str(out)]) == code
        with (out / "predictions.csv").open(newline="", encoding="utf-8") as file:
            return json.loads((out / "predictions.json").read_text()), list(csv.DictReader(file))

    return run


def test_classes_of_new_videos(recognition: Run, predict: Callable[..., Any], videos: Path) -> None:
    new = sorted(recognition.root.glob("spinning/*.mp4"))[:2]
    content, rows = predict(recognition.checkpoint, *new, videos / "README.md", code=1)
    model = prompt_video.load(recognition.checkpoint)
    assert [row["video"] for row in content["predictions"]] == list(map(str, new))
    for row, video in zip(content["predictions"], new, strict=True):
        expected = model.score(video, model.class_names).best()
        found = [(one["class"], one["probability"]) for one in row["best"]]
        assert found == [(one.text, one.probability) for one in expected]
    assert [(row["rank"], row["class"]) for row in rows[:2]] == [
        (str(rank), one["class"]) for rank, one in enumerate(content["predictions"][0]["best"], start=1)
    ]
    (broken,) = content["broken"]
    assert broken["path"] == str(videos / "README.md")


def test_a_linear_probe_names_its_own_classes(probe: Run, predict: Callable[..., Any]) -> None:
    content, _ = predict(probe.checkpoint, probe.root / "spinning" / "0.mp4")
    assert {one["class"] for one in content["predictions"][0]["best"]} == {"moving left", "spinning"}


def test_segments_of_new_videos(localization: Run, predict: Callable[..., Any]) -> None:
    video = next(localization.root.rglob("*.mp4"))
    content, rows = predict(localization.checkpoint, video)
    model = prompt_video.load(localization.checkpoint)
    expected = model.segments(video, model.class_names).segments
    (found,) = content["predictions"]
    assert [(one["class"], one["start_sec"], one["score"]) for one in found["best"]] == [
        (one.label, one.start_sec, one.score) for one in expected
    ]
    assert list(rows[0]) == ["video", "rank", "class", "start_sec", "end_sec", "score"]


def test_captions_of_the_runs_test_for_new_videos(retrieval: Run, predict: Callable[..., Any]) -> None:
    video = next(retrieval.root.rglob("*.mp4"))
    content, _ = predict(retrieval.checkpoint, video, "--top", "1")
    with (retrieval.folder / "by_caption.csv").open(newline="") as file:
        captions = {row["caption"] for row in csv.DictReader(file)}
    (found,) = content["predictions"]
    assert len(found["best"]) == 1
    assert found["best"][0]["caption"] in captions
    content, _ = predict(retrieval.checkpoint, video, "--classes", "a star, a square")
    assert {one["caption"] for one in content["predictions"][0]["best"]} == {"a star", "a square"}


def test_a_folder_of_its_own_beside_the_runs(recognition: Run, tmp_path: Path) -> None:
    video = str(recognition.root / "spinning" / "0.mp4")
    assert main(["predict", video, "--ckpt", str(recognition.checkpoint), f"--runs={tmp_path}"]) == 0
    (path,) = tmp_path.glob(f"{recognition.folder.parent.name}/predict_*/predictions.csv")
    assert path.stat().st_size


def test_what_is_missing_is_said(recognition: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    video = str(recognition.root / "spinning" / "0.mp4")
    said = {
        (video,): "name a trained model with --ckpt",
        (video, "--ckpt", str(tmp_path / "none.ckpt")): "there is no checkpoint",
        (str(tmp_path / "none.mp4"), "--ckpt", str(recognition.checkpoint)): "none.mp4",
        (
            video,
            "--ckpt",
            str(recognition.checkpoint),
            "--data.batch_size=2",
        ): "--data.batch_size=2 is an option for the",
    }
    for words, message in said.items():
        assert main(["predict", *words, f"--runs={tmp_path / 'runs'}"]) == 1
        assert message in capsys.readouterr().err, words
    assert not (tmp_path / "runs").exists()
