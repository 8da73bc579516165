"""Many trials through the command line: against one by one, killed and resumed, and what they leave behind."""

import csv
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from prompt_video.cli import main
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.trials import one_trial
from prompt_video.trials.journal import TrialResult, summarise
from prompt_video.trials.stacked_task import StackedTask
from tests import small_runs
from tests.small_runs import results_of, rows_of, three_classes, weights_in

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
    return three_classes(tmp_path_factory.mktemp("videos"), 8)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


def runs_in(place: Path, root: Path, features: Path) -> Run:
    config = place / "few.yaml"
    config.write_text(YAML.format(root=root, features=features))

    return lambda *options, folder="run", rc=0: small_runs.run(config, "fit", place / folder, *options, rc=rc)


@pytest.fixture
def run(tmp_path: Path, root: Path, features: Path) -> Run:
    return runs_in(tmp_path, root, features)


OFTEN = ("--trials_at_a_time=2", "--save_every_n_steps=1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, root: Path, features: Path) -> Path:
    """A folder with a run of all trials, ``run``, and runs of two trials alone, ``trial1`` and ``trial3``."""
    folder = tmp_path_factory.mktemp("trained")
    run = runs_in(folder, root, features)
    run(*OFTEN)
    for number in (1, 3):
        run(f"--data.trial={number}", folder=f"trial{number}")
    return folder


def assert_alike(folder: Path, number: int) -> None:
    """A trial of all, and the run of it alone."""
    learned = weights_in(folder / "run" / "trials" / f"{number:03d}" / "learned.ckpt")
    for name, weight in weights_in(folder / f"trial{number}" / "checkpoints" / "last.ckpt").items():
        assert_close(learned[name], weight, rtol=0, atol=1e-5)
    alone = results_of(folder / f"trial{number}")["metrics"]
    for key, value in results_of(folder / "run")["trials"][number]["metrics"].items():
        assert value == pytest.approx(alone[key], abs=1e-6), key


def test_trials_trained_together_equal_trials_trained_alone(trained: Path) -> None:
    for number in (1, 3):
        assert_alike(trained, number)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--model.temporal.num_layers=0", "--model.video_consistency=0"),
        ("--model.prompt=LinearProbe", "--model.text_consistency=0", "--model.prompt_lr=1.0"),
        ("--model.prompt=TemplatePrompt", "--model.text_consistency=0"),
        ("--trainer.gradient_clip_val=0.05", "--trainer.accumulate_grad_batches=2", "--data.batch_size=3"),
    ],
    ids=["prompts", "linear probe", "temporal", "clipped, accumulated"],
)
def test_trials_of_other_settings_too(run: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    run("--trials_at_a_time=3", *options)
    for number in (0, 3):
        run(f"--data.trial={number}", *options, folder=f"trial{number}")
        assert_alike(tmp_path, number)


def test_frozen_clip_is_tested_on_every_trial_without_training(run: Run, tmp_path: Path) -> None:
    options = ("--model.prompt=TemplatePrompt", "--model.temporal.num_layers=0", "--model.text_consistency=0")
    results = run(*options, "--model.video_consistency=0")
    assert len(results["trials"]) == 5
    for trial in results["trials"]:
        assert trial["metrics"]["test/top1"] == trial["metrics"]["test/frozen_top1"]
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.slow
def test_how_many_at_a_time_changes_nothing(run: Run) -> None:
    first = run("--trials_at_a_time=5")
    second = run("--trials_at_a_time=2", folder="two")
    for one, other in zip(first["trials"], second["trials"], strict=True):
        assert one["metrics"] == pytest.approx(other["metrics"], abs=1e-6)


def test_trials_that_cannot_be_trained_together_are_trained_one_by_one(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("--trials_at_a_time=2", "--model.classes_per_step=2", "--data.protocol.ways=3", rc=1)
    said = capsys.readouterr().err
    assert "--trials_at_a_time is 2, and these trials are trained one by one: model.classes_per_step draws" in said
    run("--trials_at_a_time=2", "--choose={text_consistency: [0.5, 1.0]}", folder="chosen", rc=1)
    assert "trained one by one: constants of their method are chosen for each" in capsys.readouterr().err
    run("--data.features=off", "--trainer.max_epochs=1", "--data.protocol.num_trials=2", folder="frames")
    assert "trial 2 of 2: draw 1" in capsys.readouterr().out


def test_a_run_of_trials_leaves_everything_behind(trained: Path) -> None:
    folder = trained / "run"
    results = results_of(folder)
    assert {"config.yaml", "environment.json", "results.json", "trials.csv", "logs"} <= {
        path.name for path in folder.iterdir()
    }
    rows = rows_of(folder / "trials.csv")
    values = [float(row["test/top1"]) for row in rows]
    assert [row["name"] for row in rows] == [f"draw {number}" for number in range(5)]
    assert results["metrics"]["test/top1"] == pytest.approx(sum(values) / 5)
    assert results["confidence"]["test/top1"]["trials"] == 5
    assert "5 drawn trials" in results["protocol"]
    assert results["samples"]["train"]["used"] > 0
    steps = curve(folder / "logs" / "metrics.csv")
    each = [curve(folder / "trials" / f"{number:03d}" / "logs" / "metrics.csv") for number in range(5)]
    assert len(steps) == 3 * 2  # six videos in batches of four
    for step, loss in steps.items():
        assert loss == pytest.approx(sum(own[step] for own in each) / 5, abs=1e-5)


def curve(path: Path) -> dict[int, float]:
    """The losses of training, by step."""
    with path.open(newline="") as file:
        return {int(row["step"]): float(row["train/loss"]) for row in csv.DictReader(file) if row.get("train/loss")}


STEPS = 3 * 6  # of five trials in stacks of two at the most: three epochs of two steps each


@pytest.mark.parametrize(
    ("place", "at"),
    [
        pytest.param((StackedTask, "training_step"), 1, marks=pytest.mark.slow),
        ((StackedTask, "training_step"), 9),
        pytest.param((RecognitionTask, "test_step"), 3, marks=pytest.mark.slow),
    ],
    ids=["first step", "second stack", "test"],
)
def test_a_run_that_is_killed_goes_on_where_it_was(
    run: Run, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[type, str], at: int
) -> None:
    with monkeypatch.context() as patch:
        taken = Counted(patch, StackedTask, "training_step")
        Counted(patch, *place, last=at)
        with pytest.raises(SystemError):
            run(*OFTEN, folder="killed")
    done = (tmp_path / "killed" / "trials.jsonl").read_text().splitlines()
    with monkeypatch.context() as patch:
        left = Counted(patch, StackedTask, "training_step")
        going_on = run(*OFTEN, "--ckpt=last", folder="killed")
    assert going_on["trials"] == results_of(trained / "run")["trials"]
    assert taken.count + left.count == STEPS, "no step is taken twice"
    for number in range(len(done), 5):
        learned = Path("trials") / f"{number:03d}" / "learned.ckpt"
        unbroken = weights_in(trained / "run" / learned)
        for name, weight in weights_in(tmp_path / "killed" / learned).items():
            assert torch.equal(unbroken[name], weight)


class Counted:
    """Counts the calls of a method; the last of so many ends the process as a lack of memory does."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: type, name: str, last: int | None = None) -> None:
        self.count, original = 0, getattr(owner, name)

        def call(task: Any, *arguments: Any) -> Any:  # noqa: ANN401
            self.count += 1
            if self.count == last:
                raise SystemError("killed")
            return original(task, *arguments)

        patch.setattr(owner, name, call)


@pytest.mark.slow
@pytest.mark.parametrize("finished", [3, 0])
def test_a_run_killed_before_its_first_checkpoint_is_found_by_its_journal(
    run: Run, tmp_path: Path, finished: int
) -> None:
    whole = run("--trials_at_a_time=2")
    folder = tmp_path / "runs" / "few" / "2026-01-01_000000"
    folder.mkdir(parents=True)
    journal = (tmp_path / "run" / "trials.jsonl").read_text().splitlines(keepends=True)
    (folder / "trials.jsonl").write_text("".join(journal[:finished]))
    config = ["--config", str(tmp_path / "few.yaml"), f"--runs={tmp_path / 'runs'}", "--wandb=disabled", "--quiet=true"]
    assert main(["fit", *config, "--trials_at_a_time=2", "--ckpt=last"]) == 0
    assert json.loads((folder / "results.json").read_text())["trials"] == whole["trials"]


@pytest.mark.slow
def test_of_many_trials_the_figures_alone_are_kept(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_trial, "MOST_KEPT", 4)
    results = run("--trials_at_a_time=2", "--save_every_n_steps=1")
    assert len(results["trials"]) == 5
    assert not list((tmp_path / "run" / "trials").glob("*"))


def test_another_seed_does_not_go_on(
    run: Run, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    run("--ckpt=last", "--seed_everything=4", rc=1)
    assert "is of other trials or of another seed" in capsys.readouterr().err


@pytest.mark.slow
def test_one_wandb_run_with_a_table_of_trials(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    run("--wandb=offline")
    runs = list((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert len(runs) == 1
    tables = list(runs[0].rglob("*trials*.table.json"))
    assert len(tables) == 1
    assert len(json.loads(tables[0].read_text())["data"]) == 5


def test_a_checkpoint_is_of_one_trial(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = results_of(trained / "trial1")["metrics"]
    options = ["--config", str(trained / "few.yaml"), "--wandb=disabled", "--quiet=true"]
    options += [f"--run_folder={tmp_path / 'again'}", f"--ckpt={trained / 'trial1/checkpoints/last.ckpt'}"]
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
    rows = json.loads((tmp_path / "p" / "predictions.json").read_text())["predictions"]
    assert len(rows) == 9
    assert {len(row["best"]) for row in rows} == {1, 2}


def test_summary_of_trials() -> None:
    results = [TrialResult(n, f"t{n}", n, {"test/top1": value, "test/top5": 1.0}) for n, value in enumerate((0.2, 0.6))]
    summary: Any = summarise(results)
    assert summary["metrics"] == {"test/top1": pytest.approx(0.4), "test/top5": 1.0}
    assert summary["confidence"]["test/top1"]["ci95"] == pytest.approx(12.706204736 * 0.282842712 / 2**0.5)


def test_a_trial_whose_numbers_are_none_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = RecognitionTask.drawn

    def drawn(task: RecognitionTask, *arguments: Any) -> Any:  # noqa: ANN401
        texts, tensors = original(task, *arguments)
        return texts, {**tensors, "frames": tensors["frames"] * (math.inf if task.trial_name == "draw 3" else 1)}

    monkeypatch.setattr(RecognitionTask, "drawn", drawn)
    run("--trials_at_a_time=5", rc=1)
    assert "trial draw 3: the loss of step 1 is not finite, and training stops" in capsys.readouterr().err
