"""A checkpoint is enough: its run says the rest."""

import json
import re
import shutil
from pathlib import Path
from typing import Protocol

import pytest

from data_modules.loading.dropped_videos import DroppedVideos
from prompt_video.cli import main
from prompt_video.experiment.run_settings import with_settings_of_run
from prompt_video.experiment.settings import read_settings
from prompt_video.experiment.summary import commands_for, print_summary


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    run = tmp_path / "runs" / "mine" / "2026-01-01_000000"
    for folder in (run / "checkpoints", run / "trials" / "003"):
        folder.mkdir(parents=True)
    (run / "config.yaml").write_text("name: null")
    return run / "checkpoints" / "best.ckpt"


def test_settings_of_the_run_stand_before_what_is_typed(checkpoint: Path) -> None:
    run = checkpoint.parents[1]
    first = ["test", f"--config={run / 'config.yaml'}", "--run_folder=null", "--quiet=false", "--name=mine"]
    for typed in ([f"--ckpt_path={checkpoint}"], ["--ckpt_path", str(checkpoint), "--data.batch_size=2"]):
        assert with_settings_of_run(["test", *typed]) == [*first, *typed]
    named = ["test", "--name=other", f"--ckpt_path={checkpoint}"]
    assert with_settings_of_run(named) == [*first[:-1], *named[1:]]
    trial = ["predict", f"--ckpt_path={run / 'trials' / '003' / 'learned.ckpt'}"]
    assert with_settings_of_run(trial) == ["predict", *first[1:], "--data.trial=3", *trial[1:]]


def test_settings_that_only_lie_near_are_not_those_of_a_checkpoint(checkpoint: Path) -> None:
    run = checkpoint.parents[1]
    for place in (run / "best.ckpt", run / "moved" / "best.ckpt", run / "moved" / "away" / "best.ckpt"):
        assert with_settings_of_run(["test", f"--ckpt_path={place}"]) == ["test", f"--ckpt_path={place}"]


class Run(Protocol):
    """What the fixtures of tasks train."""

    folder: Path


@pytest.mark.parametrize("task", ["recognition", "localization", "retrieval"])
def test_a_checkpoint_is_enough_wherever_its_run_has_moved(
    task: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: Run = request.getfixturevalue(task)
    moved = tmp_path / "moved" / "there"
    shutil.copytree(run.folder, moved)
    monkeypatch.chdir(moved / "checkpoints")
    tested = "best.ckpt" if Path("best.ckpt").is_file() else "last.ckpt"
    words = [f"--ckpt={tested}", f"--runs={tmp_path / 'runs'}", "--wandb=disabled", "--quiet=true"]
    assert main(["test", *words]) == 0
    (again,) = (tmp_path / "runs" / "moved").glob("evaluate_*")
    before, after = (json.loads((folder / "results.json").read_text())["metrics"] for folder in (run.folder, again))
    assert {name: after[name] for name in after if name.startswith("test/")} == pytest.approx(
        {name: before[name] for name in before if name.startswith("test/")}
    )
    assert (again / "report.html").is_file()
    assert (again / "by_video.csv").read_text() == (run.folder / "by_video.csv").read_text()


def test_settings_of_a_run_need_no_file_of_a_method_any_more(tmp_path: Path) -> None:
    method, config = tmp_path / "mine.yaml", tmp_path / "config.yaml"
    method.write_text("RecognitionTask: {prompt: {class_path: PromptLearner, init_args: {num_prefix: 3}}}")
    settings = read_settings(["--config=demo_closed", f"--method={method}"])
    config.write_text(settings.verb_parser.dump(settings.settings, skip_none=False))
    method.unlink()
    model = read_settings([f"--config={config}"]).settings["model"]["init_args"]
    assert model["prompt"]["init_args"]["num_prefix"] == 3


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "--ckpt_path={checkpoint}"],
        ["test", "--config=mine.yaml", "--ckpt_path={checkpoint}"],
        ["test", "-c", "mine.yaml", "--ckpt_path={checkpoint}"],
        ["test", "--ckpt_path=last"],
        ["test", "--ckpt_path=imported.ckpt"],
        ["test", "--ckpt_path"],
        ["test"],
        [],
    ],
)
def test_other_lines_stay_as_they_are(checkpoint: Path, words: list[str]) -> None:
    typed = [word.format(checkpoint=checkpoint) for word in words]
    assert with_settings_of_run(typed) == typed


@pytest.mark.parametrize("task", ["RecognitionTask", "LocalizationTask", "RetrievalTask"])
def test_commands_name_the_checkpoint_and_a_video_as_a_shell_reads_them(task: str) -> None:
    commands = commands_for(Path("my runs/best.ckpt"), task, Path("my videos/a b.mp4"))
    assert [re.match(r"prompt-video (\w+) ", command) is not None for command in commands] == [True, True]
    assert all("--ckpt 'my runs/best.ckpt'" in command for command in commands)
    assert "'my videos/a b.mp4'" in commands[1] or "prompt-video index 'my videos' " in commands[1]


def test_a_run_ends_with_commands_that_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = tmp_path / ("folder" * 30) / "best.ckpt"
    commands = commands_for(deep, "RetrievalTask", None)
    print_summary(tmp_path / "run", {"metrics": {}}, DroppedVideos(0.0), deep, commands)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [f"checkpoint: {deep}", *(f"  {command}" for command in commands)]
