"""Whole retrieval runs through the command line, on rendered videos and the built-in CLIP."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from data_modules.synthetic.captioned_shapes import CaptionedShapes
from prompt_video.cli import main
from tests.small_runs import arguments, metrics, rows_of, run, weights

YAML = """
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: CaptionedShapes
  init_args:
    root: {root}
    train_videos: 10
    val_videos: 4
    test_videos: 7
    captions_per_video: 2
    features_root: {features}
    frame_rate: 12
    sampler: {{class_path: SegmentSampler, init_args: {{num_frames: 6}}}}
    batch_size: 5
    num_workers: 0
model:
  class_path: RetrievalTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1, too_long: truncate}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
    query_bank: 6
    optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.003}}}}
    schedule: cosine
"""
FIGURES = ("r@1", "r@5", "r@10", "median_rank", "mean_rank")
STEP = ["--trainer.max_steps=1", "--model.optimizer.class_path=torch.optim.SGD", "--model.optimizer.init_args.lr=1.0"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world") / "shapes"
    CaptionedShapes(root, train_videos=10, val_videos=4, test_videos=7, captions_per_video=2).prepare_data()
    return root


@pytest.fixture(scope="module")
def config(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(YAML.format(root=root, features=tmp_path_factory.mktemp("features")))
    return path


@pytest.fixture(scope="module")
def trained(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "trained"
    run(config, "fit", folder)
    return folder


def test_a_run_reports_both_directions_and_names_what_was_rescored(trained: Path) -> None:
    found = metrics(trained)
    expected = {
        f"test/{direction}/{kind}{figure}"
        for direction in ("t2v", "v2t")
        for kind in ("", "frozen_", "dual_softmax_", "qb_norm_")
        for figure in FIGURES
    }
    assert found.keys() == expected
    results = json.loads((trained / "results.json").read_text())
    assert "4 val, 7 test. Tested" in results["protocol"]
    assert results["samples"]["test"] == {"used": 7, "dropped": 0}


def test_tables_agree_with_the_figures(trained: Path) -> None:
    found, rows = metrics(trained), rows_of(trained / "by_caption.csv")
    assert len(rows) == 7
    ranks = [float(row["rank"]) for row in rows]
    assert sum(ranks) / 7 == pytest.approx(found["test/t2v/mean_rank"])
    assert sum(rank == 1 for rank in ranks) / 7 == pytest.approx(found["test/t2v/r@1"])
    for row in rows:
        assert (row["first_video"] == row["video_id"]) == (float(row["rank"]) == 1)
    frozen = [float(row["frozen_rank"]) for row in rows_of(trained / "by_video.csv")]
    assert sum(frozen) / 7 == pytest.approx(found["test/v2t/frozen_mean_rank"])


@pytest.mark.parametrize(
    ("options", "near"),
    [
        (["--data.batch_size=1"], 1e-6),
        pytest.param(["--data.num_workers=2"], 1e-6, marks=pytest.mark.slow),
        (["--data.features=off"], 2e-2),  # stored features have half precision
    ],
)
def test_a_checkpoint_gives_the_same_figures_whatever_the_batches(
    trained: Path, config: Path, tmp_path: Path, options: list[str], near: float
) -> None:
    checkpoint = f"--ckpt={trained / 'checkpoints' / 'best.ckpt'}"
    run(config, "test", tmp_path, checkpoint, *options)
    assert metrics(tmp_path) == pytest.approx(metrics(trained), abs=near)


def test_prediction_lists_the_likeliest_videos_of_each_caption(trained: Path, config: Path, tmp_path: Path) -> None:
    run(config, "predict", tmp_path, f"--ckpt={trained / 'checkpoints' / 'best.ckpt'}")
    rows = json.loads((tmp_path / "predictions.json").read_text())["predictions"]
    expected = rows_of(trained / "by_caption.csv")
    assert [row["caption"] for row in rows] == [row["caption"] for row in expected]
    assert [row["best"][0]["video"] for row in rows] == [row["first_video"] for row in expected]
    for row in rows:
        scores = [one["score"] for one in row["best"]]
        assert len(scores) == 7
        assert scores == sorted(scores, reverse=True)


def test_gradient_caching_takes_the_step_of_the_plain_way(config: Path, tmp_path: Path) -> None:
    options = [*STEP, "--data.batch_size=20", "--test_after_fit=false"]
    run(config, "fit", tmp_path / "plain", *options)
    run(config, "fit", tmp_path / "cached", *options, "--model.text_chunk=3", "--model.video_chunk=4")
    still = [option.replace("lr=1.0", "lr=0.0") for option in options]
    run(config, "fit", tmp_path / "start", *still)
    plain, cached, start = (weights(tmp_path / name) for name in ("plain", "cached", "start"))
    assert max(float((plain[name] - start[name]).abs().max()) for name in plain) > 1e-2
    for name in plain:  # at rate 1 the difference of weights is that of gradients
        torch.testing.assert_close(cached[name], plain[name], rtol=0, atol=1e-6)


@pytest.mark.slow
def test_two_processes_take_the_step_of_one(
    config: Path, tmp_path: Path, run_on_two_devices: Callable[[Sequence[str]], None]
) -> None:
    options = [*STEP, "--model.query_bank=0"]
    run_on_two_devices(arguments(config, "fit", tmp_path / "two", *options, "--data.batch_size=10"))
    run(config, "fit", tmp_path / "one", *options, "--data.batch_size=20")
    one, both = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name in one:
        torch.testing.assert_close(both[name], one[name], rtol=0, atol=1e-5)
    assert metrics(tmp_path / "two") == pytest.approx(metrics(tmp_path / "one"), abs=1e-5)
    assert rows_of(tmp_path / "two" / "by_caption.csv") == rows_of(tmp_path / "one" / "by_caption.csv")


@pytest.mark.slow
def test_a_stopped_run_goes_on_as_if_it_had_not(config: Path, tmp_path: Path) -> None:
    # The rate of a cosine depends on the steps of the whole training.
    steady = ["--model.schedule=constant"]
    run(config, "fit", tmp_path / "whole", *steady)
    run(config, "fit", tmp_path / "stopped", *steady, "--trainer.max_epochs=1", "--test_after_fit=false")
    run(config, "fit", tmp_path / "stopped", *steady, "--ckpt=last")
    resumed, whole = weights(tmp_path / "stopped"), weights(tmp_path / "whole")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert metrics(tmp_path / "stopped") == metrics(tmp_path / "whole")


@pytest.mark.slow
def test_broken_videos_are_counted_with_their_captions(config: Path, root: Path, tmp_path: Path) -> None:
    for file in root.rglob("*"):
        if file.is_file():
            copy = tmp_path / "world" / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(b"no video" if file.name == "0003.mp4" else file.read_bytes())
    options = [f"--data.root={tmp_path / 'world'}", "--data.max_broken_fraction=0.5", "--trainer.max_epochs=1"]
    stored = run(config, "fit", tmp_path / "stored", *options, f"--data.features_root={tmp_path / 'features'}")
    decoded = run(config, "fit", tmp_path / "decoded", *options, "--data.features=off", "--data.batch_size=1")
    for results in (stored, decoded):
        assert results["samples"]["test"] == {"used": 6, "dropped": 1}
        assert results["samples"]["train"] == {"used": 9, "dropped": 1}
    for name in ("stored", "decoded"):
        rows = rows_of(tmp_path / name / "by_caption.csv")
        assert len(rows) == 6
        assert "test/0003.mp4" not in {row[key] for row in rows for key in ("video_id", "first_video")}


METHODS = {
    "frozen": ["--model.prompt=TemplatePrompt", "--model.prompt.too_long=truncate", "--model.temporal.num_layers=0"],
    "prompts": ["--model.temporal.num_layers=0"],
    "temporal": ["--model.prompt=TemplatePrompt", "--model.prompt.too_long=truncate"],
    "share": ["--model.frozen_share=0.5"],
}


@pytest.mark.parametrize(
    "method", ["frozen", *(pytest.param(name, marks=pytest.mark.slow) for name in ("prompts", "temporal")), "share"]
)
def test_every_method_runs(method: str, config: Path, tmp_path: Path) -> None:
    run(config, "fit", tmp_path, "--trainer.max_epochs=1", *METHODS[method])
    found = metrics(tmp_path)
    if method == "frozen":
        assert all(found[name] == found[name.replace("v/", "v/frozen_", 1)] for name in ("test/t2v/mean_rank",))
        assert found["test/v2t/mean_rank"] == found["test/v2t/frozen_mean_rank"]


def test_long_captions_are_cut_and_counted_once(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    short = ["--model.prompt.num_prefix=60", "--model.temporal.num_layers=1", "--trainer.max_epochs=1"]
    results = run(config, "fit", tmp_path, *short)
    told = capfd.readouterr()
    assert (told.out + told.err).count("captions of 'train' are cut to 14 tokens") == 1
    assert "captions of 'test'" in results["model"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.prompt=LinearProbe"], "a linear probe knows classes, not sentences"),
        (["--model.video_chunk=0"], "video_chunk must be 1 or more"),
        (["--data.protocol=OpenSet"], "retrieval has ClosedSet"),
        (["--model.prompt.too_long=error", "--model.prompt.num_prefix=70"], "has"),
    ],
)
def test_mistakes_are_told(
    options: list[str], message: str, config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(config, "fit", tmp_path, *options)) == 1
    assert message in capfd.readouterr().err


def test_a_data_set_without_captions_is_refused(
    make_videos: Callable[[Path, int], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = [f"--data.root={make_videos(tmp_path / 'videos', 3)}", f"--data.features_root={tmp_path / 'f'}"]
    options = [*data, "--data.num_workers=0", "--trainer.accelerator=cpu", "--trainer.max_epochs=1"]
    options += [f"--runs={tmp_path}", "--wandb=disabled"]
    assert main(["fit", "--data=VideoFolder", "--model=RetrievalTask", *options, "--quiet=true"]) == 1
    assert "RetrievalTask needs captions, and VideoFolder has none" in capfd.readouterr().err


def test_more_right_answers_count_in_a_test(config: Path, tmp_path: Path) -> None:
    first = run(config, "test", tmp_path / "first")
    rows = rows_of(tmp_path / "first" / "by_caption.csv")
    pairs = tmp_path / "pairs.csv"
    with pairs.open("w", newline="") as file:
        csv.writer(file).writerows([["video", "caption"], *([row["first_video"], row["caption"]] for row in rows)])
    again = run(config, "test", tmp_path / "again", f"--data.also_right={pairs}")
    assert first["metrics"]["test/t2v/r@1"] < 1 == again["metrics"]["test/t2v/r@1"]
    assert again["metrics"]["test/t2v/frozen_r@1"] >= first["metrics"]["test/t2v/frozen_r@1"]
    assert "are right of more videos than their own" in again["protocol"]
