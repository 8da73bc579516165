"""A temperature fitted to probabilities, through the command line: figures stay, checkpoints keep it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from data_modules import VideoFolder
from prompt_video import load
from prompt_video.cli import main
from prompt_video.model.calibration import Calibration, fit_temperature
from prompt_video.tasks import RecognitionTask
from prompt_video.trials.calibrating import judged_by
from tests import small_runs
from tests.small_runs import rows_of, three_classes

YAML = """
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: VideoFolder
  init_args:
    root: {root}
    val_fraction: 0.2
    test_fraction: 0.4
    num_workers: 0
    features_root: {features}
    sampler: {{class_path: SegmentSampler, init_args: {{num_frames: 4}}}}
model: RecognitionTask
method: linear_adapter
scale: demo
"""
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrating")
    videos = three_classes(folder / "videos", 5)
    (folder / "small.yaml").write_text(YAML.format(root=videos, features=folder / "features"))
    return folder


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Run:
    return lambda name, *options, rc=0: small_runs.run(folder / "small.yaml", "fit", tmp_path / name, *options, rc=rc)


def test_figures_stay_and_a_checkpoint_keeps_it(run: Run, folder: Path, tmp_path: Path) -> None:
    plain, fitted = run("plain"), run("fitted", "--fit_temperature", "true")
    assert plain["calibration"]["num_videos"] == 0
    assert "not calibrated" in plain["calibration"]["says"]
    assert fitted["calibration"]["num_videos"] == 3, "the validation videos"
    for name in ("test/top1", "test/top5", "test/mean_class", "test/frozen_top1"):
        assert fitted["metrics"][name] == plain["metrics"][name]
    assert fitted["metrics"]["test/ece_before"] == plain["metrics"]["test/ece"]

    calibration = Calibration(fitted["calibration"]["temperature"], 3)
    assert calibration.temperature != 1
    before, after = (load(tmp_path / name / "checkpoints" / "best.ckpt") for name in ("plain", "fitted"))
    assert after.calibration == load(tmp_path / "fitted" / "checkpoints" / "last.ckpt").calibration == calibration
    video = folder / "videos" / "star spinning" / "0.mp4"
    raw, said = (model.score(video, model.class_names).probability for model in (before, after))
    torch.testing.assert_close(said, calibration.apply(raw[None])[0])
    one, other = (rows_of(tmp_path / name / "by_video.csv") for name in ("plain", "fitted"))
    assert [row["pred"] for row in one] == [row["pred"] for row in other]
    assert [row["probability"] for row in one] != [row["probability"] for row in other]
    # Again from its checkpoint, and in another folder.
    checkpoint = tmp_path / "fitted" / "checkpoints" / "best.ckpt"
    assert main(["export", "--ckpt", str(checkpoint), "--hub", str(tmp_path / "hub")]) == 0
    assert load(tmp_path / "hub").calibration == calibration
    assert f"Calibrated: {calibration.describe()}" in (tmp_path / "hub" / "README.md").read_text()
    common = ["--config", str(folder / "small.yaml"), "--wandb", "disabled", "--quiet", "true"]
    assert main(["test", *common, "--ckpt", str(checkpoint), "--run_folder", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "results.json").read_text())
    assert again["metrics"]["test/ece"] == fitted["metrics"]["test/ece"]
    assert again["calibration"]["num_videos"] == 3


def test_it_is_the_one_of_the_validation_videos(folder: Path) -> None:
    task = RecognitionTask(backbone="tiny")
    data = VideoFolder(
        folder / "videos", val_fraction=0.2, num_workers=0, features="off", preprocessing=task.preprocessing
    )
    data.setup("fit")
    learned, target = judged_by(task, data, "val")
    assert len(learned) == len(target) == len(data.trials[0].subsets["val"].records)
    torch.testing.assert_close(learned.sum(1), torch.ones(len(learned)))
    assert fit_temperature([(learned, target)]).num_videos == len(target)


@pytest.mark.slow  # five runs; the fast lane has the same with validation videos
def test_without_validation_videos_one_of_each_class_is_held_out(run: Run, tmp_path: Path) -> None:
    few = ["--data.protocol=FewShot", "--data.protocol.shots=2", "--data.protocol.source=drawn"]
    none = ["--data.val_fraction=0", *few]
    for method, trials in (("frozen_templates", 1), ("cache", 2)):
        options = (*none, f"--data.protocol.num_trials={trials}", "--method", method, "--choose", "null")
        plain, fitted = run(f"{method} plain", *options), run(method, *options, "--fit_temperature", "true")
        assert fitted["metrics"]["test/top1"] == plain["metrics"]["test/top1"]
        if trials == 1:
            assert fitted["calibration"]["num_videos"] == 3
        else:
            table = rows_of(tmp_path / method / "trials.csv")
            temperatures = [float(row["calibration/temperature"]) for row in table]
            kept = [load(tmp_path / method / "trials" / f"{n:03d}" / "learned.ckpt").calibration for n in range(2)]
            assert [one.temperature for one in kept] == pytest.approx(temperatures)
            assert all(one.num_videos == 3 for one in kept)


def test_what_cannot_be_calibrated_is_told(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    one = [
        "--data.val_fraction=0",
        "--data.protocol=FewShot",
        "--data.protocol.shots=1",
        "--data.protocol.source=drawn",
    ]
    run("one", *one, "--fit_temperature", "true", rc=1)
    assert "and one of each class is to be held out" in " ".join(capsys.readouterr().err.split())
