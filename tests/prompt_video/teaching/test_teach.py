"""``prompt-video teach`` from clips to labels, and once more with a correction."""

import csv
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from prompt_video.cli import main
from prompt_video.experiment.stopping import Stopped
from prompt_video.inference.loading import load
from prompt_video.teaching.examples import read_examples
from prompt_video.teaching.teacher import Teacher


def test_what_comes_next_is_looked_at_before_anything_is_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = tmp_path / "examples"
    (examples / "waving").mkdir(parents=True)
    for words, reason in (
        (["--then", "fit"], "behind --then stands a command that takes what was taught: label, segment"),
        (["--then"], "behind --then stands a command"),
        (["--then", "label", str(examples / "waving")], "lies inside the examples"),
        (["--then", "label", "nowhere.mp4"], "there is no file nowhere.mp4"),
        (["--then", "label", ".", "--csv", "/proc/none/x.csv"], "--csv /proc/none/x.csv cannot be written"),
        (["--then", "export", "--hub", "/proc/none"], "--hub /proc/none cannot be written"),
        (["--backbone", "vit_b17"], "vit_b17"),
    ):
        assert main(["teach", str(examples), *words]) == 1
        assert reason in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["teach", str(examples), "--then", "label", ".", "--tpo", "1"])
    assert "there is no option 'tpo'; did you mean 'top'?" in capsys.readouterr().err


@pytest.mark.slow
def test_a_lesson_that_is_stopped_says_how_to_have_it_again(
    make_videos: Callable[[Path, int], Path], tmp_path: Path
) -> None:
    def stop(done: float, of: float, what: str) -> None:
        if "text_probe" in what and done > 1.0:
            raise Stopped(signal.SIGINT)

    teacher = Teacher(tmp_path / "runs", tmp_path / "features")
    with pytest.raises(Stopped) as stopped:
        teacher.teach(read_examples(make_videos(tmp_path / "examples", 2)), stop)
    assert "the same command gives the lesson again" in str(stopped.value.how_to_go_on)
    assert "--run_folder" not in str(stopped.value.how_to_go_on)


@pytest.mark.slow
def test_a_few_clips_are_learned_labelled_and_corrected(
    make_videos: Callable[[Path, int], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make_videos(Path("all"), 6)
    for clip in sorted(Path("all").rglob("*.mp4")):
        target = Path("examples", clip.parent.name) if clip.stem < "3" else Path("rest")
        target.mkdir(parents=True, exist_ok=True)
        clip.rename(target / f"{clip.parent.name}_{clip.name}")
    assert main(["teach", "examples", "--then", "label", "rest", "--csv", "labels.csv", "--top", "1"]) == 0
    said = capsys.readouterr().out
    (folder,) = Path("runs", "taught").iterdir()
    lesson = json.loads((folder / "lesson.json").read_text())
    assert [row["held_out"] for row in lesson["classes"]] == [3, 3]
    assert lesson["held_out"] in said
    assert "held out in 3 folds" in said
    assert all(one["of"] == 6 for one in lesson["tried"].values())
    best = max(one["right"] for one in lesson["tried"].values())
    assert lesson["tried"][lesson["method"]]["right"] == best
    page = (folder / "report.html").read_text()
    for told in ("classes by example", "data set", "seed", "date", "command", "linear probe from texts"):
        assert told in page
    rows = list(csv.DictReader(Path("labels.csv").read_text().splitlines()))
    assert len(rows) == 6
    assert {row["class"] for row in rows} <= {"moving left", "spinning"}

    corrected = Path("rest", "spinning_3.mp4")
    Path("corrections.csv").write_text(f"video,class\n{corrected},spinning\n")
    stores = sorted(Path("features").rglob("*.safetensors"))
    monkeypatch.setattr("prompt_video.teaching.teacher.METHODS", {"text_probe": 1.0})  # all are tried above
    assert main(["teach", "examples", "--corrections", "corrections.csv"]) == 0
    assert "1 corrected clips are examples now" in capsys.readouterr().out
    again = sorted(Path("features").rglob("*.safetensors"))
    assert len(again) == len(stores) + 1, "features of the new clip alone are computed"
    second = max(Path("runs", "taught").iterdir())
    assert {row["class"]: row["examples"] for row in json.loads((second / "lesson.json").read_text())["classes"]} == {
        "moving left": 3,
        "spinning": 4,
    }
    checkpoint = second / "checkpoints" / "last.ckpt"
    assert load(checkpoint).class_names == ["moving left", "spinning"]
    assert main(["test", "--ckpt", str(checkpoint), "--data.root", "all2"]) == 1  # there is no such folder
    shutil.copytree("examples", "all2/train")
    shutil.copytree("examples", "all2/test")
    capsys.readouterr()
    os.environ.pop("PROMPT_VIDEO_RUN_FOLDER", None)
    assert main(["test", "--ckpt", str(checkpoint), "--data.root", "all2", "--data.labels", "null"]) == 0
    assert "test/top1" in capsys.readouterr().out
