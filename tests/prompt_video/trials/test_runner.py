"""Many trials through the command line: against one by one, killed and resumed, and what they leave behind."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from data_modules.synthetic.rendering import render, write_mp4
from prompt_video.cli import main
from prompt_video.trials.journal import TrialResult, summarise
from prompt_video.trials.task import TrialsTask

CLASSES = (("star", "moving left"), ("star", "spinning"), ("cross", "moving left"))
# AdamW divides a gradient by its own size: with a large eps what is rounding stays rounding.
YAML = """
seed_everything: 3
trainer: {{accelerator: cpu, max_epochs: 3, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: VideoFolder
  init_args:
    root: {root}
    val_fraction: 0
    test_fraction: 0.4
    batch_size: 4
    num_workers: 0
    features_root: {features}
    sampler: {{class_path: WindowSampler, init_args: {{num_frames: 4, num_views: 2, random_views: true}}}}
    protocol: {{class_path: FewShot, init_args: {{shots: 3, ways: 2, source: drawn, num_trials: 5}}}}
model:
  class_path: RecognitionTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
    optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.003, eps: 1.0e-4}}}}
    prompt_lr: 0.01
    text_consistency: 0.5
    video_consistency: 0.5
    feature_noise: 0.5
    schedule: cosine
"""
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for shape, motion in CLASSES:
        for number in range(8):
            write_mp4([render(shape, motion, number).frames], root / f"{shape} {motion}" / f"{number}.mp4")
    return root


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def run(tmp_path: Path, root: Path, features: Path) -> Run:
    config = tmp_path / "few.yaml"
    config.write_text(YAML.format(root=root, features=features))

    def run(*options: str, folder: str = "run", rc: int = 0) -> dict[str, Any]:
        out = tmp_path / folder
        common = ["--config", str(config), "--run_folder", str(out), "--wandb", "disabled", "--quiet", "true"]
        assert main(["fit", *common, *options]) == rc
        results: dict[str, Any] = json.loads((out / "results.json").read_text()) if rc == 0 else {}
        return results

    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return state


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--model.temporal.num_layers=0", "--model.video_consistency=0"),
        ("--model.prompt=LinearProbe", "--model.text_consistency=0", "--model.prompt_lr=1.0"),
    ],
    ids=["prompts and temporal", "prompts", "linear probe"],
)
def test_trials_trained_together_equal_trials_trained_one_by_one(
    run: Run, tmp_path: Path, options: tuple[str, ...]
) -> None:
    together = run("--trials_at_a_time=5", "--save_every_n_steps=1", *options)["trials"]
    stacked = weights(tmp_path / "run")
    for number in (0, 3):
        alone = run(f"--data.trial={number}", *options, folder=f"trial{number}")["metrics"]
        for name, weight in weights(tmp_path / f"trial{number}").items():
            assert_close(stacked[name.replace("model.", "stack.", 1)][number], weight, rtol=0, atol=1e-5)
        for key, value in together[number]["metrics"].items():
            assert value == pytest.approx(alone[key], abs=1e-6), key


def test_frozen_clip_is_tested_on_every_trial_without_training(run: Run, tmp_path: Path) -> None:
    options = ("--model.prompt=TemplatePrompt", "--model.temporal.num_layers=0", "--model.text_consistency=0")
    results = run(*options, "--model.video_consistency=0")
    assert len(results["trials"]) == 5
    for trial in results["trials"]:
        assert trial["metrics"]["test/top1"] == trial["metrics"]["test/frozen_top1"]
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_how_many_at_a_time_changes_nothing(run: Run) -> None:
    first = run("--trials_at_a_time=5")
    second = run("--trials_at_a_time=2", folder="two")
    assert first["trials"] == second["trials"]
    assert first["confidence"] == second["confidence"]


def test_a_run_of_trials_leaves_everything_behind(run: Run, tmp_path: Path) -> None:
    results = run()
    folder = tmp_path / "run"
    assert {"config.yaml", "environment.json", "results.json", "trials.csv", "logs"} <= {
        path.name for path in folder.iterdir()
    }
    with (folder / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    values = [float(row["test/top1"]) for row in rows]
    assert [row["name"] for row in rows] == [f"draw {number}" for number in range(5)]
    assert results["metrics"]["test/top1"] == pytest.approx(sum(values) / 5)
    assert results["confidence"]["test/top1"]["trials"] == 5
    assert "5 drawn trials" in results["protocol"]
    assert results["samples"]["train"]["used"] > 0


@pytest.mark.parametrize("calls", [4, 17])
def test_a_killed_run_goes_on_where_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Two steps an epoch, three epochs, stacks of 2, 1 and 2 trials: killed in the first and in the third."""
    often = ("--trials_at_a_time=2", "--save_every_n_steps=2")
    whole = run(*often)
    step, count = TrialsTask.training_step, 0

    def killed(self: TrialsTask, *arguments: Any) -> torch.Tensor:  # noqa: ANN401
        nonlocal count
        count += 1
        if count == calls:
            raise MemoryError("killed")
        return step(self, *arguments)

    monkeypatch.setattr(TrialsTask, "training_step", killed)
    with pytest.raises(MemoryError):
        run(*often, folder="killed")
    monkeypatch.setattr(TrialsTask, "training_step", step)
    journal = tmp_path / "killed" / "trials.jsonl"
    done = len(journal.read_text().splitlines()) if journal.exists() else 0
    assert done == {4: 0, 17: 3}[calls]
    if done:
        with journal.open("a") as file:
            file.write('{"trial": 4, "name": "draw')
    going_on = run(*often, "--ckpt=last", folder="killed")
    assert going_on["trials"] == whole["trials"]
    mended, unbroken = weights(tmp_path / "killed"), weights(tmp_path / "run")
    for name, weight in unbroken.items():
        assert_close(mended[name], weight, rtol=0, atol=0)


def test_a_run_killed_before_its_first_checkpoint_is_found_by_its_finished_trials(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("--trials_at_a_time=2")
    assert not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
    folder = tmp_path / "runs" / "few" / "2026-01-01_000000"
    folder.mkdir(parents=True)
    journal = (tmp_path / "run" / "trials.jsonl").read_text().splitlines(keepends=True)
    (folder / "trials.jsonl").write_text("".join(journal[:3]))
    config = ["--config", str(tmp_path / "few.yaml"), f"--runs={tmp_path / 'runs'}", "--wandb=disabled", "--quiet=true"]
    assert main(["fit", *config, "--trials_at_a_time=2", "--ckpt=last"]) == 0
    assert json.loads((folder / "results.json").read_text())["trials"] == whole["trials"]


def test_another_seed_does_not_go_on(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    run("--ckpt=last", "--seed_everything=4", rc=1)
    assert "is of other trials or of another seed" in capsys.readouterr().err


def test_one_wandb_run_with_a_table_of_trials(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    run("--wandb=offline")
    runs = list((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert len(runs) == 1
    tables = list(runs[0].rglob("*trials*.table.json"))
    assert len(tables) == 1
    assert len(json.loads(tables[0].read_text())["data"]) == 5


def test_pixels_are_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--data.features=off", rc=1)
    assert "need stored features" in capsys.readouterr().err


def test_classes_per_step_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--model.classes_per_step=2", rc=1)
    assert "classes_per_step is for one trial" in capsys.readouterr().err


def test_a_checkpoint_is_of_one_trial(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = run("--data.trial=1")["metrics"]
    options = ["--config", str(tmp_path / "few.yaml"), "--wandb=disabled", "--quiet=true"]
    options += [f"--run_folder={tmp_path / 'again'}", f"--ckpt={tmp_path / 'run/checkpoints/last.ckpt'}"]
    assert main(["test", *options]) == 1
    assert "the protocol has 5 trials; name the one that is meant with --data.trial" in capsys.readouterr().err
    assert main(["test", *options, "--data.trial=1"]) == 0
    again = json.loads((tmp_path / "again" / "results.json").read_text())["metrics"]
    assert again["test/top1"] == alone["test/top1"]


def test_predictions_of_several_tests(run: Run, tmp_path: Path) -> None:
    protocol = '{"class_path": "BaseToNovel", "init_args": {"source": "drawn", "shots": 2, "num_trials": 1}}'
    options = [
        "--config",
        str(tmp_path / "few.yaml"),
        "--wandb=disabled",
        "--quiet=true",
        f"--data.protocol={protocol}",
    ]
    assert main(["predict", *options, f"--run_folder={tmp_path / 'p'}"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "p" / "scores.jsonl").read_text().splitlines()]
    assert len(rows) == 9
    assert {len(row["scores"]) for row in rows} == {1, 2}


def test_summary_of_trials() -> None:
    results = [TrialResult(n, f"t{n}", n, {"test/top1": value, "test/top5": 1.0}) for n, value in enumerate((0.2, 0.6))]
    summary = summarise(results)
    assert summary["metrics"] == {"test/top1": pytest.approx(0.4), "test/top5": 1.0}
    assert summary["confidence"]["test/top1"]["ci95"] == pytest.approx(12.706204736 * 0.282842712 / 2**0.5)
