"""The localization task on videos whose features are made up: what its loss sees, and what long videos cost."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.features.store import Recipe, StoreWriter
from data_modules.modules.extraction import transform_of
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.cli import main
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.tasks.localization import LocalizationTask
from tests.small_runs import arguments

RATE = 10.0
UNSEEN_VALUE = 1e4  # what every frame of an unseen class holds, and no other
YAML = """
trainer: {{accelerator: cpu, max_epochs: 1, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: UntrimmedFolder
  init_args:
    root: {root}
    features: {store}
    frame_rate: 10
    windows: {{class_path: SlidingWindows, init_args: {{num_frames: {num_frames}, overlap: 0.5}}}}
    batch_size: {batch_size}
    num_workers: 0
model:
  class_path: LocalizationTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
    detector: {{class_path: ProposalDetector, init_args: {{channels: 16, num_scales: 4, num_proposals: 20}}}}
    frames_inside: 8
"""
Annotated = Mapping[str, Sequence[tuple[str, float, float]]]  # label, start and end in seconds


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    backbone = FrozenBackbone("tiny")
    transform = transform_of(backbone, backbone.frames)
    return Recipe("tiny", backbone.fingerprint, backbone.embed_dim, RATE, transform)


@pytest.fixture
def prepare(tmp_path: Path, recipe: Recipe) -> Callable[..., Path]:
    """Make up videos and an experiment with them; gives its YAML."""

    def prepare(
        train: Annotated,
        test: Annotated,
        duration_sec: Mapping[str, float],
        unseen: Sequence[str] = (),
        num_frames: int = 32,
        batch_size: int = 4,
    ) -> Path:
        database = {}
        generator = torch.Generator().manual_seed(0)
        with StoreWriter(tmp_path / "store", recipe) as writer:
            for subset, videos in (("training", train), ("testing", test)):
                for video_id, actions in videos.items():
                    seconds = duration_sec[video_id]
                    middles = (np.arange(round(seconds * RATE)) + 0.5) / RATE
                    features = torch.randn(len(middles), recipe.dim, generator=generator)
                    for label, start, end in actions:
                        covers = (middles + 0.5 / RATE > start) & (middles - 0.5 / RATE < end)
                        features[torch.from_numpy(covers)] += 1e-2 * len(label)
                        if label in unseen:
                            features[torch.from_numpy(covers)] = UNSEEN_VALUE
                    writer.add(video_id, features, middles, seconds, tmp_path / video_id)
                    database[video_id] = {
                        "subset": subset,
                        "duration": seconds,
                        "annotations": [{"label": label, "segment": [start, end]} for label, start, end in actions],
                    }
        (tmp_path / "annotations.json").write_text(json.dumps({"database": database}))
        path = tmp_path / "made_up.yaml"
        options = {"num_frames": num_frames, "batch_size": batch_size}
        path.write_text(YAML.format(root=tmp_path, store=tmp_path / "store", **options))
        return path

    return prepare


def in_turn(labels: Sequence[str], first_sec: float, count: int) -> list[tuple[str, float, float]]:
    """Actions of 2.13 s with 0.71 s in between; every fifth begins within the one before it."""
    starts = [first_sec + 2.84 * i - (1.1 if i % 5 == 4 else 0.0) for i in range(count)]
    return [(labels[i % len(labels)], start, start + 2.13) for i, start in enumerate(starts)]


@pytest.mark.parametrize(
    "windows",
    ["SlidingWindows", pytest.param("WholeVideo", marks=pytest.mark.slow)],  # frames that lie between stored ones
)
def test_training_never_sees_an_unseen_class(
    prepare: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: str
) -> None:
    """Neither a frame, nor a segment, nor a name of it, in videos that show both."""
    seen, unseen = ["dive", "long jump"], ["shot put", "run"]
    labels = ["dive", "shot put", "long jump", "run", "dive", "long jump"]
    train = {f"t{n}": in_turn(labels[n:] + labels[:n], 0.37 * n, 16) for n in range(4)}
    test = {"e": in_turn(labels, 1.0, 12)}
    config = prepare(train, test, dict.fromkeys([*train, *test], 48.0), unseen)
    batches: list[Batch] = []
    loss = LocalizationTask.loss

    def spied_on(self: LocalizationTask, batch: Batch) -> Tensor:
        batches.append(batch)
        return loss(self, batch)

    monkeypatch.setattr(LocalizationTask, "loss", spied_on)
    protocol = json.dumps({"class_path": "OpenSet", "init_args": {"train_classes": seen, "test_classes": unseen}})
    cut = json.dumps({"class_path": windows, "init_args": {"num_frames": 32 if windows == "SlidingWindows" else 333}})
    options = ("--trainer.max_epochs=3", f"--data.protocol={protocol}", f"--data.windows={cut}")
    assert main(arguments(config, "fit", tmp_path / "run", *options)) == 0

    num_hidden, num_segments = 0, 0
    for batch in batches:
        assert (batch["text"], batch["subset"]) == (seen, "train")
        assert batch["features"].abs().max() < UNSEEN_VALUE / 10
        assert not batch["features"][~batch["mask"]].any()
        num_hidden += int((~batch["mask"]).sum())
        columns = batch["windows"]
        for row, video_id in enumerate(batch["video_id"]):
            hidden = [(start, end) for label, start, end in train[video_id] if label in unseen]
            known = [(label, start, end) for label, start, end in train[video_id] if label in seen]
            places = torch.arange(batch["mask"].shape[1]) + torch.tensor([[0.01], [0.99]])
            starts, ends = columns["origin_sec"][row] + places * columns["frame_sec"][row]
            for start, end in hidden:
                assert not batch["mask"][row][(ends > start) & (starts < end)].any()
            for (start, end), target in zip(
                columns["segments_sec"][row].tolist(), columns["segment_targets"][row].tolist(), strict=True
            ):
                num_segments += 1
                assert any(
                    label == seen[target] and first - 1e-4 <= start and end <= last + 1e-4
                    for label, first, last in known
                )
                assert not any(start < last - 1e-4 and end > first + 1e-4 for first, last in hidden)
    assert num_hidden > 100
    assert num_segments > 20
    found = json.loads((tmp_path / "run" / "clip_only" / "detections.json").read_text())["results"]["e"]
    assert {entry["label"] for entry in found} == set(unseen), "and the test knows no other names"


@pytest.fixture
def small(prepare: Callable[..., Path]) -> Path:
    train = {"t0": in_turn(["dive", "run"], 0.5, 6), "t1": [("dive", 3.0, 3.2), ("run", 3.0, 11.0)]}
    return prepare(train, {"e": in_turn(["run", "dive"], 2.0, 5)}, {"t0": 20.0, "t1": 12.0, "e": 19.0})


def logged(folder: Path) -> list[dict[str, float]]:
    """What was logged at each step of training."""
    with (folder / "logs" / "metrics.csv").open(newline="") as file:
        rows = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
    return [row for row in rows if "train/loss" in row]


def test_the_losses_add_up(small: Path, tmp_path: Path) -> None:
    assert main(arguments(small, "fit", tmp_path / "r", "--trainer.max_epochs=2", "--test_after_fit=false")) == 0
    for row in logged(tmp_path / "r"):
        of_detector = sum(row[f"train/detector_{part}"] for part in ("action", "segment", "refinement", "quality"))
        assert 0 < of_detector < row["train/loss"], "the rest is classification"
        assert 0 <= row["train/top1"] <= 1


def test_noise_is_for_classification_alone(small: Path, tmp_path: Path) -> None:
    for noise in (0.0, 2.0):
        options = [f"--model.feature_noise={noise}", "--trainer.max_epochs=2", "--test_after_fit=false"]
        assert main(arguments(small, "fit", tmp_path / f"{noise}", *options)) == 0
    quiet, noisy = logged(tmp_path / "0.0"), logged(tmp_path / "2.0")
    for one, other in zip(quiet, noisy, strict=True):
        assert one["train/loss"] != other["train/loss"]
        assert one["train/detector_action"] == other["train/detector_action"]


@pytest.mark.slow
def test_guards_change_the_loss(small: Path, tmp_path: Path) -> None:
    rows = {}
    for name, options in {
        "plain": [],
        "text": ["--model.text_consistency=3"],
        "video": ["--model.video_consistency=3"],
    }.items():
        more = [*options, "--trainer.max_steps=1", "--test_after_fit=false"]
        assert main(arguments(small, "fit", tmp_path / name, *more)) == 0
        (rows[name],) = logged(tmp_path / name)
    assert rows["text"]["train/loss"] > rows["plain"]["train/loss"]
    assert rows["video"]["train/loss"] > rows["plain"]["train/loss"]
    assert rows["text"]["train/top1"] == rows["video"]["train/top1"] == rows["plain"]["train/top1"]


def test_a_test_that_stops_in_the_middle_of_a_video(small: Path, tmp_path: Path) -> None:
    """Nothing is known of it then, and the next test begins anew."""
    assert main(arguments(small, "test", tmp_path / "r", "--trainer.limit_test_batches=1", "--data.batch_size=2")) == 0
    assert json.loads((tmp_path / "r" / "clip_only" / "detections.json").read_text())["results"] == {}


def test_a_short_run_of_everything(small: Path, tmp_path: Path) -> None:
    assert main(arguments(small, "fit", tmp_path / "r", "--trainer.fast_dev_run=true")) == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"text_consistency": -1.0}, "text_consistency, video_consistency and feature_noise must be 0 or more"),
        ({"match_tiou": 0.0}, "match_tiou must be in (0, 1] and external_weight in [0, 1]"),
        ({"external_weight": 1.5}, "external_weight in [0, 1]"),
        ({"frames_inside": 0}, "frames_inside must be 1 or more, or null, not 0"),
        ({"tious": [0.5, 1.5]}, "tious must be thresholds in (0, 1], at least one, not [0.5, 1.5]"),
        ({"tious": []}, "tious must be thresholds in (0, 1], at least one, not []"),
        ({"text_consistency": 1.0, "prompt": LinearProbe}, "a linear probe has no text features"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        LocalizationTask(**options)
    assert told in str(caught.value)


MEASURE = """
import sys
from pathlib import Path
from prompt_video.cli import main

def status(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))

arguments, folder = sys.argv[2:], sys.argv[1]
for name in ("short", "short", "long"):
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
    before = status("VmRSS")
    assert not main([*arguments, f"--data.annotations={name}.json", f"--run_folder={folder}/{name}"])
    print("MEASURED", name, status("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the kernel tells no high-water mark")
def test_a_video_of_two_hours_takes_no_more_memory_than_a_few_batches(
    prepare: Callable[..., Path], tmp_path: Path
) -> None:
    """72,000 frames in 562 windows of 256, eight at a time, against a video of 100 s, which is one batch."""
    train, durations = {"t": in_turn(["dive", "run"], 0.5, 6)}, {"t": 20.0, "short": 100.0, "long": 7200.0}
    test = {"short": in_turn(["run", "dive"], 2.0, 30), "long": in_turn(["run", "dive"], 2.0, 2500)}
    config = prepare(train, test, durations, num_frames=256, batch_size=8)
    everything = json.loads((tmp_path / "annotations.json").read_text())["database"]
    for name in ("short", "long"):
        chosen = {video_id: everything[video_id] for video_id in ("t", name)}
        (tmp_path / f"{name}.json").write_text(json.dumps({"database": chosen}))
    command = ["test", "--config", str(config), "--wandb=disabled", "--quiet=true"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_TRIM_THRESHOLD_": "0"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "runs"), *command],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    measured = [float(line.split()[2]) for line in done.stdout.splitlines() if line.startswith("MEASURED")]
    # The features of its windows alone would be 74 MiB more, and all that is computed of them far more.
    assert measured[2] - measured[1] < 100, measured
    found = json.loads((tmp_path / "runs" / "long" / "clip_only" / "detections.json").read_text())["results"]["long"]
    assert max(entry["segment"][1] for entry in found) > 7000
    assert len(found) == 200
