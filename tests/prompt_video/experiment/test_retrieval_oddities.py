"""Retrieval runs through the command line where things are uncommon: broken videos, odd captions and settings."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from data_modules.batch import CaptionedRecord
from data_modules.synthetic.captioned_shapes import CaptionedShapes
from prompt_video.cli import main
from tests.small_runs import arguments, metrics, rows_of, weights

YAML = """
trainer: {{accelerator: cpu, max_epochs: 1, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: CaptionedShapes
  init_args:
    root: {root}
    train_videos: 6
    val_videos: 2
    test_videos: 5
    captions_per_video: 2
    features_root: {features}
    frame_rate: 12
    sampler: {{class_path: SegmentSampler, init_args: {{num_frames: 6}}}}
    batch_size: 4
    num_workers: 0
model:
  class_path: RetrievalTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1, too_long: truncate}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
"""
ODD = [
    "a " * 2500,
    "🌟 " * 30 + "café\u0301 “quoted”, comma",
    "a star moves left",
    "a star moves left",
    "ring\u2028line",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world") / "shapes"
    CaptionedShapes(root, train_videos=6, val_videos=2, test_videos=5, captions_per_video=2).prepare_data()
    return root


@pytest.fixture(scope="module")
def config(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(YAML.format(root=root, features=tmp_path_factory.mktemp("features")))
    return path


def broken_world(root: Path, folder: Path, *names: str) -> Path:
    """A copy of the world where some files are no videos."""
    for file in root.rglob("*"):
        if file.is_file():
            copy = folder / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            is_broken = file.relative_to(root).as_posix() in names
            copy.write_bytes(b"no video" if is_broken else file.read_bytes())
    return folder


@pytest.mark.slow
def test_a_broken_video_for_one_of_two_processes(
    config: Path, root: Path, tmp_path: Path, run_on_two_devices: Callable[[Sequence[str]], None]
) -> None:
    """Batches of one pair: a process without a video in the middle of training, and another in the test."""
    world = broken_world(root, tmp_path / "world", "train/0002.mp4", "test/0003.mp4")
    options = [f"--data.root={world}", "--data.features=off", "--data.max_broken_fraction=0.5", "--data.batch_size=1"]
    # Plain gradient descent: others blow up the rounding of gradients that are all but zero.
    options += ["--model.optimizer.class_path=torch.optim.SGD", "--model.optimizer.init_args.lr=0.1"]
    run_on_two_devices(arguments(config, "fit", tmp_path / "two", *options))
    assert main(arguments(config, "fit", tmp_path / "one", *options, "--data.batch_size=2")) == 0
    one, both = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in one:
        torch.testing.assert_close(both[name], one[name], rtol=0, atol=1e-5)
    assert len(rows_of(tmp_path / "two" / "by_caption.csv")) == 4
    assert rows_of(tmp_path / "two" / "by_caption.csv") == rows_of(tmp_path / "one" / "by_caption.csv")


def test_broken_batches_in_one_process(config: Path, root: Path, tmp_path: Path) -> None:
    """In training, validation, test and the bank."""
    world = broken_world(root, tmp_path / "world", "train/0001.mp4", "val/0000.mp4", "test/0000.mp4", "test/0001.mp4")
    options = [f"--data.root={world}", "--data.features=off", "--data.max_broken_fraction=0.5"]
    options += ["--data.batch_size=2", "--model.query_bank=4"]
    assert main(arguments(config, "fit", tmp_path / "run", *options)) == 0
    assert len(rows_of(tmp_path / "run" / "by_video.csv")) == 3


@pytest.mark.parametrize("split", ["val", "test", "train"])
def test_nothing_but_broken_videos(
    config: Path, root: Path, tmp_path: Path, split: str, capfd: pytest.CaptureFixture[str]
) -> None:
    every = [path.relative_to(root).as_posix() for path in (root / split).iterdir()]
    world = broken_world(root, tmp_path / "world", *every)
    options = [f"--data.root={world}", "--data.features=off", "--data.max_broken_fraction=1", "--model.query_bank=4"]
    verb = "test" if split == "train" else "fit"
    assert main(arguments(config, verb, tmp_path / "run", *options)) == 1
    told = "none of its training videos could be read" if split == "train" else "cannot be scored"
    assert told in capfd.readouterr().err


OPTIONS = {
    "bfloat16": ["--trainer.precision=bf16-mixed"],
    "learned temperature": ["--model.learn_temperature=true"],
    "frozen share": ["--model.frozen_share=0.4", "--model.query_bank=3"],
    "three views": ["--data.sampler.num_views=3", "--model.query_bank=3"],
    "no validation": ["--data.val_videos=0"],
    "short test": ["--trainer.limit_test_batches=1"],
    "last batch of one": ["--data.batch_size=11"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_uncommon_settings(config: Path, tmp_path: Path, name: str) -> None:
    assert main(arguments(config, "fit", tmp_path / "run", *OPTIONS[name])) == 0
    found = {key: value for key, value in metrics(tmp_path / "run").items()}
    count = 4 if name == "short test" else 5
    assert len(rows_of(tmp_path / "run" / "by_caption.csv")) == count
    assert all(1 <= value <= count for key, value in found.items() if key.endswith("rank"))
    assert all(0 <= value <= 1 for key, value in found.items() if "r@" in key)
    assert "test/t2v/dual_softmax_r@1" in found
    checkpoint = "last" if name == "no validation" else "best"
    assert (
        main(
            arguments(
                config,
                "predict",
                tmp_path / "again",
                *OPTIONS[name],
                f"--ckpt={tmp_path / 'run' / 'checkpoints' / f'{checkpoint}.ckpt'}",
            )
        )
        == 0
    )
    found = json.loads((tmp_path / "again" / "predictions.json").read_text(encoding="utf-8"))["predictions"]
    first = [row["best"][0]["video"] for row in found]
    if name != "short test":  # whose limit is not the prediction's
        assert first == [row["first_video"] for row in rows_of(tmp_path / "run" / "by_caption.csv")]


def test_odd_captions(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long ones, emoji, commas, and two videos whose captions are the same."""
    records = CaptionedShapes._records

    def odd(self: CaptionedShapes, split: Any) -> list[CaptionedRecord]:  # noqa: ANN401
        return [
            CaptionedRecord(record.video_id, record.path, captions=(caption,))
            for record, caption in zip(records(self, split), [*ODD, "one more"], strict=False)
        ]

    monkeypatch.setattr(CaptionedShapes, "_records", odd)
    monkeypatch.setattr(CaptionedShapes, "prepare_data", lambda self: None)
    assert main(arguments(config, "fit", tmp_path / "run", "--model.query_bank=5")) == 0
    rows = rows_of(tmp_path / "run" / "by_caption.csv")
    assert [row["caption"] for row in rows] == [*ODD[:-1], r"ring\u2028line"]  # as people can read it
    ranks = [float(row["rank"]) for row in rows_of(tmp_path / "run" / "by_video.csv")]
    assert sum(ranks) / 5 == pytest.approx(metrics(tmp_path / "run")["test/v2t/mean_rank"])
    same = [float(row["rank"]) for row in rows if row["caption"] == "a star moves left"]
    assert abs(same[0] - same[1]) >= 1, "one caption asks for two videos, of which one comes first"
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert main(arguments(config, "predict", tmp_path / "again", f"--ckpt={checkpoint}")) == 0
    found = json.loads((tmp_path / "again" / "predictions.json").read_text(encoding="utf-8"))["predictions"]
    assert [row["caption"] for row in found] == ODD


def test_a_wrong_row_is_named_with_its_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("video,caption\na.mp4,a star\na.mp4\n")
    config = Path(__file__).parents[3] / "experiments" / "folder_retrieval.yaml"
    options = [f"--data.root={tmp_path}", "--model.backbone=tiny", "--model.temporal.num_heads=4", f"--runs={tmp_path}"]
    assert main(["fit", f"--config={config}", *options, "--wandb=disabled"]) == 1
    assert f"prompt-video: {captions}, line 3: 1 columns where the header has 2" in capfd.readouterr().err
