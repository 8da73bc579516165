"""Trials that are each an experiment of their own, through the command line: together, alone, killed and resumed."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data_modules.synthetic.untrimmed_shapes import UntrimmedShapes
from prompt_video.cli import main
from prompt_video.tasks.localization import LocalizationTask
from tests.small_runs import results_of, rows_of, run, weights_in

YAML = """
seed_everything: 3
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: UntrimmedShapes
  init_args:
    root: {root}
    train_videos: 3
    test_videos: 3
    features_root: {features}
    frame_rate: 4
    windows: {{class_path: SlidingWindows, init_args: {{num_frames: 32, overlap: 0.5}}}}
    batch_size: 3
    num_workers: 0
    protocol: OpenSet
model:
  class_path: LocalizationTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
    detector: {{class_path: ProposalDetector, init_args: {{channels: 8, num_scales: 3, num_proposals: 10}}}}
    frames_inside: 4
    text_consistency: 1.0
    feature_noise: 0.5
    optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.003}}}}
    schedule: cosine
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos to train and to test, one of each third of the classes."""
    folder = tmp_path_factory.mktemp("world")
    UntrimmedShapes(folder / "shapes", train_videos=3, test_videos=3).prepare_data()
    path = folder / "folds.yaml"
    path.write_text(YAML.format(root=folder / "shapes", features=folder / "features"))
    return path


@pytest.fixture(scope="module")
def folds(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of all three."""
    folder = tmp_path_factory.mktemp("runs") / "folds"
    run(config, "fit", folder)
    return folder


def figures_of_test(results: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in results["metrics"].items() if name.startswith(("test/", "controls/"))}


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights_in(one), weights_in(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_all_trials_leave_everything_behind(folds: Path) -> None:
    results = results_of(folds)
    assert [trial["name"] for trial in results["trials"]] == ["fold 0", "fold 1", "fold 2"]
    assert "3 own splits of the classes" in results["protocol"]
    for name, value in results["metrics"].items():
        if name.startswith("broken/"):  # of all trials together
            continue
        values = [trial["metrics"][name] for trial in results["trials"]]
        assert value == pytest.approx(sum(values) / 3)
        about = results["confidence"][name]
        assert about["trials"] == 3
        assert about["std"] == pytest.approx(torch.tensor(values).double().std().item(), abs=1e-7)
    assert {"test/clip_only/map_avg", "test/clip_only/frozen_map_avg", "test/proposals/auc"} <= results[
        "metrics"
    ].keys()
    rows = rows_of(folds / "trials.csv")
    assert [row["name"] for row in rows] == ["fold 0", "fold 1", "fold 2"]
    for number, row in enumerate(rows):
        own = results["trials"][number]["metrics"]
        assert float(row["test/clip_only/map_avg"]) == own["test/clip_only/map_avg"]
        folder = folds / "trials" / f"{number:03d}"
        found = json.loads((folder / "clip_only" / "detections.json").read_text())["results"]
        assert list(found) == [f"test/{number:03d}.mp4"]
        assert (folder / "frozen" / "detections.csv").stat().st_size > 0
        assert f"fold {number}" in (folder / "report.html").read_text()
        assert (folder / "logs" / "metrics.csv").stat().st_size > 0
        with (folder / "by_class.csv").open(newline="") as file:
            ap = [float(line["clip_only"]) for line in csv.DictReader(file)]
        assert own["test/clip_only/map_avg"] == pytest.approx(sum(ap) / len(ap), abs=1e-5)
        assert {name.split(".")[0] for name in weights_in(folder / "learned.ckpt")} == {"model", "detector"}


@pytest.mark.parametrize("name", ["by_class.csv", "by_video.csv"])
def test_tables_of_the_run_are_those_of_all_trials(folds: Path, name: str) -> None:
    whole = rows_of(folds / name)
    expected = []
    for number in range(3):
        with (folds / "trials" / f"{number:03d}" / name).open(newline="") as file:
            expected += [{"trial": str(number), **row} for row in csv.DictReader(file)]
    assert whole == expected
    assert expected


def test_the_checkpoint_of_a_trial_is_enough_to_test_it_again(folds: Path, tmp_path: Path) -> None:
    checkpoint = folds / "trials" / "001" / "learned.ckpt"
    words = [f"--ckpt={checkpoint}", f"--run_folder={tmp_path / 'again'}", "--wandb=disabled", "--quiet=true"]
    assert main(["test", *words]) == 0
    assert figures_of_test(results_of(tmp_path / "again")) == pytest.approx(results_of(folds)["trials"][1]["metrics"])


def test_trials_differ_in_classes_and_seed(folds: Path) -> None:
    results = results_of(folds)
    assert len({trial["seed"] for trial in results["trials"]}) == 3
    labels = [
        {
            entry["label"]
            for own in json.loads((folder / "clip_only" / "detections.json").read_text())["results"].values()
            for entry in own
        }
        for folder in sorted((folds / "trials").iterdir())
    ]
    assert all(one.isdisjoint(other) for one, other in zip(labels, [*labels[1:], labels[0]], strict=True))


def test_a_trial_alone_is_the_same_one(config: Path, folds: Path, tmp_path: Path) -> None:
    alone = run(config, "fit", tmp_path / "alone", "--data.trial=1")
    assert figures_of_test(alone) == results_of(folds)["trials"][1]["metrics"]
    assert_same_weights(tmp_path / "alone" / "checkpoints" / "last.ckpt", folds / "trials" / "001" / "learned.ckpt")


@pytest.mark.slow
def test_learned_weights_of_a_trial_can_be_tested_again(
    config: Path, folds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = f"--ckpt={folds / 'trials' / '002' / 'learned.ckpt'}"
    run(config, "test", tmp_path / "r", checkpoint, rc=1)
    assert "the protocol has 3 trials; name the one that is meant with --data.trial" in capsys.readouterr().err
    again = run(config, "test", tmp_path / "again", checkpoint, "--data.trial=2")
    assert figures_of_test(again) == results_of(folds)["trials"][2]["metrics"]


class Killer:
    """Ends the process's training at one of its steps."""

    def __init__(self, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.step, self.count, self.at = LocalizationTask.training_step, 0, at
        killer = self

        def kill(task: LocalizationTask, *arguments: Any) -> Tensor:  # noqa: ANN401
            killer.count += 1
            if killer.count == killer.at:
                raise SystemError("killed")
            return killer.step(task, *arguments)

        monkeypatch.setattr(LocalizationTask, "training_step", kill)


def num_steps(folds: Path) -> list[int]:
    """Of each trial's training."""
    return [
        torch.load(folder / "learned.ckpt", weights_only=True)["global_step"]
        for folder in sorted((folds / "trials").iterdir())
    ]


@pytest.mark.slow
@pytest.mark.parametrize("often", [True, False], ids=["each step", "each epoch"])
@pytest.mark.parametrize("where", ["start", "middle", "end"])
def test_killed_in_the_second_trial_and_resumed_equals_unbroken(
    config: Path, folds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, often: bool
) -> None:
    first, second, _ = num_steps(folds)
    at = first + {"start": 1, "middle": second // 2 + 2, "end": second}[where]
    options = ["--save_every_n_steps=1"] if often else []
    with monkeypatch.context() as patch:
        killer = Killer(at, patch)
        with pytest.raises(SystemError):
            run(config, "fit", tmp_path / "killed", *options)
        assert killer.count == at
    assert len((tmp_path / "killed" / "trials.jsonl").read_text().splitlines()) == 1
    with monkeypatch.context() as patch:
        killer = Killer(-1, patch)
        resumed = run(config, "fit", tmp_path / "killed", *options, "--ckpt=last")
        assert killer.count < sum(num_steps(folds)) - first + 1, "the first trial is not trained again"
        if often:
            assert killer.count == sum(num_steps(folds)) - at + 1, "nor is what was trained of the second"
    assert resumed["trials"] == results_of(folds)["trials"]
    for number in range(3):
        place = Path("trials") / f"{number:03d}" / "learned.ckpt"
        assert_same_weights(tmp_path / "killed" / place, folds / place)


def test_another_seed_does_not_go_on(
    config: Path, folds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "trials.jsonl").write_text((folds / "trials.jsonl").read_text())
    run(config, "fit", tmp_path / "r", "--ckpt=last", "--seed_everything=4", rc=1)
    assert "is of other trials or of another seed" in capsys.readouterr().err


@pytest.mark.slow
def test_without_anything_to_learn_trials_are_tested_only(config: Path, folds: Path, tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    for folder in (folds / "trials").iterdir():
        found |= json.loads((folder / "clip_only" / "detections.json").read_text())["results"]
    (tmp_path / "proposals.json").write_text(json.dumps({"results": found}))
    options = [
        f"--model.proposals={tmp_path / 'proposals.json'}",
        "--model.prompt=TemplatePrompt",
        "--model.text_consistency=0",
    ]
    results = run(
        config, "fit", tmp_path / "r", *options, "--model.temporal.num_layers=0", "--model.frames_inside=null"
    )
    assert results["learned_weights"] == 0
    assert not list((tmp_path / "r").rglob("*.ckpt"))
    for trial in results["trials"]:
        assert trial["metrics"]["test/clip_only/map_avg"] == trial["metrics"]["test/clip_only/frozen_map_avg"]


@pytest.mark.slow
def test_each_trial_is_tested_as_it_was_best_in_validation(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a run of that trial alone does. Here the first epoch shall be the best."""
    monkeypatch.setattr(
        LocalizationTask, "on_validation_epoch_end", lambda task: task.log("val/earliness", -float(task.current_epoch))
    )
    options = ["--data.val_videos=3", "--trainer.max_epochs=3", "--monitor=val/earliness"]
    together = run(config, "fit", tmp_path / "folds", *options)
    for number in range(3):
        alone = run(config, "fit", tmp_path / f"{number}", *options, f"--data.trial={number}")
        assert together["trials"][number]["metrics"] == figures_of_test(alone)
        learned = tmp_path / "folds" / "trials" / f"{number:03d}" / "learned.ckpt"
        assert_same_weights(learned, tmp_path / f"{number}" / "checkpoints" / "best.ckpt")
        last = torch.load(tmp_path / f"{number}" / "checkpoints" / "last.ckpt", weights_only=True)
        assert 3 * torch.load(learned, weights_only=True)["global_step"] == last["global_step"]
