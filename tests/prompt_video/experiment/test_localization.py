"""Whole localization runs through the command line, on rendered videos and the built-in CLIP."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from torch import Tensor

from data_modules.annotations.activitynet_format import read_detections, read_ground_truth, write_detections
from data_modules.synthetic.untrimmed_shapes import UntrimmedShapes
from prompt_video.commands.score_detections import main as score_detections
from prompt_video.tasks.localization import LocalizationTask
from tests.small_runs import arguments, metrics, rows_of, run, weights

CLOSED_FORMS = {
    "frozen": ["--model.prompt=TemplatePrompt", "--model.temporal.num_layers=0", "--model.frames_inside=null"],
    "linear probe": ["--model.prompt=LinearProbe", "--model.temporal.num_layers=0"],
    "all frames of a window": ["--model.frames_inside=null"],
    "whole videos": ['--data.windows={"class_path": "WholeVideo", "init_args": {"num_frames": 64}}'],
}
Detected = dict[str, list[dict[str, Any]]]


class Run(Protocol):
    """What the fixture of localization trains: on four videos, to be tested on three, of half a minute each."""

    config: Path
    folder: Path
    root: Path


@pytest.fixture
def root(localization: Run) -> Path:
    return localization.root


@pytest.fixture
def config(localization: Run) -> Path:
    return localization.config


@pytest.fixture
def trained(localization: Run) -> Path:
    """The folder of a run, to be read only."""
    return localization.folder


def detections(folder: Path, score: str = "clip_only") -> Detected:
    found: Detected = json.loads((folder / score / "detections.json").read_text())["results"]
    return found


def assert_same_detections(one: Detected, other: Detected) -> None:
    """But for rounding, which may change the order of what is all but equal."""
    assert one.keys() == other.keys()
    for video_id in one:
        rows = [
            sorted((entry["label"], *entry["segment"], entry["score"]) for entry in found[video_id])
            for found in (one, other)
        ]
        assert [row[0] for row in rows[0]] == [row[0] for row in rows[1]]
        assert [row[1:] for row in rows[0]] == [pytest.approx(row[1:], abs=1e-4) for row in rows[1]]


def assert_same_test(one: Path, other: Path) -> None:
    assert metrics(one)
    assert metrics(one) == pytest.approx(metrics(other), abs=1e-6)
    for score in ("clip_only", "frozen"):
        assert_same_detections(detections(one, score), detections(other, score))


def test_a_run_leaves_everything_behind(trained: Path) -> None:
    results = json.loads((trained / "results.json").read_text())
    tious = ["0.5", "0.55", "0.6", "0.65", "0.7", "0.75", "0.8", "0.85", "0.9", "0.95"]
    figures = {
        f"clip_only/{whose}map{tiou}" for whose in ("", "frozen_") for tiou in ("_avg", *(f"@{t}" for t in tious))
    }
    figures |= {*(f"proposals/{figure}" for figure in ("ar@1", "ar@10", "ar@100", "auc")), "videos"}
    assert {name.removeprefix("test/") for name in metrics(trained)} == figures
    assert metrics(trained)["test/videos"] == 3
    assert all(0 <= value <= 1 for name, value in metrics(trained).items() if name != "test/videos")
    assert metrics(trained, "train/").keys() == {
        "train/loss",
        "train/top1",
        *(f"train/detector_{part}" for part in ("action", "segment", "refinement", "quality")),
    }
    assert results["samples"]["test"] == {"used": 3, "dropped": 0}
    assert "class-agnostic detector" in results["model"]
    for score in ("clip_only", "frozen"):
        found = read_detections(trained / score / "detections.json")
        assert found.keys() == {"test/000.mp4", "test/001.mp4", "test/002.mp4"}
        with (trained / score / "detections.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == sum(map(len, found.values()))
        about = json.loads((trained / score / "detections.json").read_text())["external_data"]
        assert about["score"] == score
        assert list((trained / score / "subtitles").rglob("*.srt"))
    assert not (trained / "with_external").exists()
    rows = rows_of(trained / "by_class.csv")
    mean = sum(float(row["clip_only"]) for row in rows) / len(rows)
    assert mean == pytest.approx(metrics(trained)["test/clip_only/map_avg"], abs=1e-5)
    report = (trained / "report.html").read_text()
    assert "Mean average precision" in report
    assert "test/001.mp4" in report
    held = weights(trained)
    assert sum(weight.numel() for weight in held.values()) == results["learned_weights"]
    assert {name.split(".")[0] for name in held} == {"model", "detector"}


@pytest.mark.parametrize(("score", "prefix"), [("clip_only", "map"), ("frozen", "frozen_map")])
def test_the_files_score_what_the_run_says(
    trained: Path, root: Path, tmp_path: Path, score: str, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the benchmark's own command, on the world's annotation."""
    ground_truth = read_ground_truth(root / "annotations.json")
    shown = {annotation.label for video in ground_truth.values() for annotation in video.annotations}
    known = {
        video_id: [found for found in own if found.label in shown]  # so small a world does not show all classes
        for video_id, own in read_detections(trained / score / "detections.json").items()
    }
    write_detections(tmp_path / "known.json", known, {})
    arguments = [str(root / "annotations.json"), str(tmp_path / "known.json"), "--subset=testing"]
    score_detections(["score-detections", *arguments, f"--json={tmp_path / 'figures.json'}"])
    capsys.readouterr()
    figures = json.loads((tmp_path / "figures.json").read_text())
    precisions = {name: value for name, value in figures["figures"].items() if name.startswith("map")}
    of_run = {name: metrics(trained)[f"test/clip_only/{name.replace('map', prefix, 1)}"] for name in precisions}
    assert len(of_run) == 11
    assert of_run == pytest.approx(precisions, abs=1e-6)
    with (trained / "by_class.csv").open(newline="") as file:
        of_class = {row["class"]: float(row[score]) for row in csv.DictReader(file)}
    assert of_class == pytest.approx({name: row["ap_avg"] for name, row in figures["per_class"].items()}, abs=1e-6)


def test_evaluating_the_checkpoint_gives_the_same_again(config: Path, trained: Path, tmp_path: Path) -> None:
    run(config, "test", tmp_path / "again", f"--ckpt={trained / 'checkpoints' / 'last.ckpt'}")
    assert metrics(tmp_path / "again") == metrics(trained)
    assert detections(tmp_path / "again") == detections(trained)


def test_predict_writes_the_detections(config: Path, trained: Path, tmp_path: Path) -> None:
    run(config, "predict", tmp_path / "p", f"--ckpt={trained / 'checkpoints' / 'last.ckpt'}")
    assert detections(tmp_path / "p") == detections(trained)
    assert (tmp_path / "p" / "clip_only" / "detections.csv").stat().st_size > 0
    assert not (tmp_path / "p" / "frozen").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--data.batch_size=1"],
        pytest.param(["--data.batch_size=3"], marks=pytest.mark.slow),
        pytest.param(["--data.batch_size=7", "--data.num_workers=2"], marks=pytest.mark.slow),
    ],
)
def test_the_test_depends_on_neither_batches_nor_workers(
    config: Path, trained: Path, tmp_path: Path, options: list[str]
) -> None:
    run(config, "test", tmp_path / "other", f"--ckpt={trained / 'checkpoints' / 'last.ckpt'}", *options)
    assert_same_test(trained, tmp_path / "other")


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--model.detector.channels=24", "detector."),
        ("--model.detector.num_scales=3", "detector."),
        ("--model.prompt.num_prefix=4", "num_prefix"),
    ],
)
def test_a_checkpoint_of_another_size_is_refused_with_one_message(
    config: Path, trained: Path, tmp_path: Path, option: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config, "test", tmp_path / "r", f"--ckpt={trained / 'checkpoints' / 'last.ckpt'}", option, rc=1)
    error = capsys.readouterr().err
    assert named in error
    assert "other settings" in error
    assert "Traceback" not in error


def test_proposals_of_a_file_take_the_place_of_the_detector(config: Path, trained: Path, tmp_path: Path) -> None:
    path = trained / "clip_only" / "detections.json"
    results = run(config, "fit", tmp_path / "given", f"--model.proposals={path}")
    assert {name.split(".")[0] for name in weights(tmp_path / "given")} == {"model"}
    assert "train/detector_action" not in metrics(tmp_path / "given", "train/")
    assert f"Proposals from {path}" in results["model"]
    offered = {
        (video_id, *(round(second, 3) for second in entry["segment"]))
        for video_id, own in detections(trained).items()
        for entry in own
    }
    found = {
        (video_id, *(round(second, 3) for second in entry["segment"]))
        for video_id, own in detections(tmp_path / "given").items()
        for entry in own
    }
    assert found
    assert found <= offered


def test_proposals_of_other_videos_are_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "proposals.json"
    path.write_text('{"results": {"somewhere else": [{"segment": [1, 2], "score": 0.5}]}}')
    run(config, "fit", tmp_path / "r", f"--model.proposals={path}", rc=1)
    assert "has proposals for none of the videos" in capsys.readouterr().err


def test_external_scores_have_a_row_of_their_own(
    config: Path, trained: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An outside classifier that knows two of the three videos helps there, and clip_only does not know of it."""
    truth = read_ground_truth(root / "annotations.json")
    scores = {
        video_id: [{"label": label, "score": 1.0} for label in {a.label for a in truth[video_id].annotations}]
        for video_id in ("test/000.mp4", "test/002.mp4")
    }
    (tmp_path / "scores.json").write_text(json.dumps({"results": scores}))
    checkpoint = f"--ckpt={trained / 'checkpoints' / 'last.ckpt'}"
    folder = tmp_path / "joined"
    run(config, "test", folder, checkpoint, f"--model.external_scores={tmp_path / 'scores.json'}")
    joined = metrics(folder, "test/with_external/")
    assert {name: value for name, value in metrics(folder).items() if name not in joined} == metrics(trained)
    assert detections(folder) == detections(trained)
    assert joined["test/with_external/map_avg"] > metrics(trained)["test/clip_only/map_avg"]
    assert detections(folder, "with_external")["test/001.mp4"] == detections(trained)["test/001.mp4"]
    assert "with_external" in (folder / "by_class.csv").read_text().splitlines()[0]
    assert "with outside scores" in (folder / "report.html").read_text()
    assert "says nothing of 1 of the 3 videos of 'test', the first being test/001.mp4" in capsys.readouterr().out


@pytest.mark.slow
def test_the_frozen_clip_trains_a_detector_alone(config: Path, tmp_path: Path) -> None:
    results = run(config, "fit", tmp_path / "frozen", *CLOSED_FORMS["frozen"])
    assert {name.split(".")[0] for name in weights(tmp_path / "frozen")} == {"detector"}
    assert results["steps"] > 0
    # What is learned of classification is nothing, so that both scores are the same.
    assert_same_detections(detections(tmp_path / "frozen"), detections(tmp_path / "frozen", "frozen"))


@pytest.mark.slow
@pytest.mark.parametrize("form", ["linear probe", "all frames of a window", "whole videos"])
def test_other_forms_run_through_the_same_yaml(config: Path, tmp_path: Path, form: str) -> None:
    results = run(config, "fit", tmp_path / "r", *CLOSED_FORMS[form])
    assert 0 <= results["metrics"]["test/clip_only/map_avg"] <= 1
    folder = tmp_path / "again"
    checkpoint = f"--ckpt={tmp_path / 'r' / 'checkpoints' / 'last.ckpt'}"
    run(config, "test", folder, checkpoint, "--data.batch_size=1", *CLOSED_FORMS[form])
    assert_same_test(tmp_path / "r", folder)


def test_a_linear_probe_is_refused_where_classes_are_unseen(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config, "fit", tmp_path / "r", "--data.protocol=OpenSet", "--data.trial=0", "--model.prompt=LinearProbe", rc=1)
    assert "a linear probe cannot name classes that it is not trained on" in capsys.readouterr().err


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the process's training at this step."""
    training_step, count = LocalizationTask.training_step, 0

    def kill(self: LocalizationTask, *arguments: Any) -> Tensor:  # noqa: ANN401
        nonlocal count
        count += 1
        if count == step:
            monkeypatch.setattr(LocalizationTask, "training_step", training_step)
            raise SystemError("killed")
        return training_step(self, *arguments)

    monkeypatch.setattr(LocalizationTask, "training_step", kill)


@pytest.mark.parametrize("step", [pytest.param(4, marks=pytest.mark.slow), 7])
def test_a_killed_run_goes_on_to_the_same_weights(
    config: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """In the first epoch and in the second, with dropout in the detector."""
    options = ["--test_after_fit=false", "--save_every_n_steps=1"]
    killed_at(step, monkeypatch)
    with pytest.raises(SystemError):
        run(config, "fit", tmp_path / "killed", *options)
    at = torch.load(tmp_path / "killed" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert at == step - 1
    run(config, "fit", tmp_path / "killed", *options, "--ckpt=last")
    whole, resumed = weights(trained), weights(tmp_path / "killed")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.slow
def test_validation_chooses_the_best_checkpoint(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(config, "fit", folder, "--data.val_videos=2", "--trainer.max_epochs=3", "--model.optimizer.init_args.lr=0.01")
    with (folder / "logs" / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["val/clip_only/map_avg"]]
    by_step = {int(row["step"]) + 1: float(row["val/clip_only/map_avg"]) for row in rows}
    assert len(by_step) == 3
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert by_step[best["global_step"]] == max(by_step.values())
    run(config, "validate", tmp_path / "v", "--data.val_videos=2", f"--ckpt={folder / 'checkpoints' / 'best.ckpt'}")
    assert metrics(tmp_path / "v", "val/")["val/clip_only/map_avg"] == pytest.approx(max(by_step.values()), abs=1e-6)
    run(config, "test", tmp_path / "t", f"--ckpt={folder / 'checkpoints' / 'best.ckpt'}")
    assert metrics(tmp_path / "t") == metrics(folder)


def in_two_processes(config: Path, verb: str, folder: Path, *options: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "NODE_RANK")}
    subprocess.run(
        [
            sys.executable,
            "-m",
            "prompt_video",
            *arguments(config, verb, folder, "--trainer.devices=2", "--trainer.strategy=ddp", *options),
        ],
        check=True,
        capture_output=True,
        env={**environment, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.slow
def test_two_processes_find_what_one_finds(config: Path, trained: Path, tmp_path: Path) -> None:
    in_two_processes(config, "test", tmp_path / "two", f"--ckpt={trained / 'checkpoints' / 'last.ckpt'}")
    assert_same_test(trained, tmp_path / "two")
    assert list(detections(tmp_path / "two")) == ["test/000.mp4", "test/001.mp4", "test/002.mp4"], "in their order"
    assert (trained / "by_class.csv").read_text() == (tmp_path / "two" / "by_class.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["", "frozen"])
def test_two_processes_train(
    config: Path, tmp_path: Path, form: str, run_on_two_devices: Callable[[Sequence[str]], None]
) -> None:
    """Whatever a step of one of them happens to lack: every weight has a gradient on both."""
    options = CLOSED_FORMS.get(form, [])
    small = ["--data.batch_size=1", "--data.val_videos=2", *options]
    run_on_two_devices(arguments(config, "fit", tmp_path / "two", *small))
    assert json.loads((tmp_path / "two" / "results.json").read_text())["steps"] > 12
    run(config, "test", tmp_path / "one", f"--ckpt={tmp_path / 'two' / 'checkpoints' / 'best.ckpt'}", *options)
    assert_same_test(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_prediction_is_for_one_process(config: Path, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        in_two_processes(config, "predict", tmp_path / "two")
    assert b"predict runs on one device; set --trainer.devices 1" in caught.value.stderr


@pytest.mark.slow
def test_a_setting_is_chosen_on_held_out_training_classes(config: Path, tmp_path: Path) -> None:
    data = UntrimmedShapes(tmp_path / "world", train_videos=12, test_videos=3)
    data.prepare_data()
    whole = data.dataset_index.subset("train")
    shown = Counter(target for record in whole.records for target in set(record.targets))
    often = [whole.class_names[target] for target, _ in shown.most_common(6)]
    rare = [name for name in whole.class_names if name not in often]
    protocol = {"class_path": "OpenSet", "init_args": {"train_classes": often, "test_classes": rare}}
    options = ["--data.train_videos=12", f"--data.protocol={json.dumps(protocol)}", f"--data.root={data.root}"]
    choose = '{"text_consistency": [1.0, 0.0]}'
    results = run(config, "fit", tmp_path / "r", *options, "--choose", choose, "--test_after_fit=false")
    tried = {row["text_consistency"]: row["held_out/hm"] for row in results["chosen"]["tried"]}
    assert tried.keys() == {1.0, 0.0}
    assert results["chosen"]["values"] == {"text_consistency": max(tried, key=lambda value: tried[value])}


def test_what_cannot_be_chosen_is_told_before_frames_are_encoded(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config, "fit", tmp_path / "r", "--choose", '{"prompt.alpha": [1.0]}', f"--data.features={tmp_path / 'f'}", rc=1)
    assert "choose: the method has no setting 'prompt.alpha'." in capsys.readouterr().err
    assert not (tmp_path / "f").exists()
