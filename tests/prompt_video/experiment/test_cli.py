"""Whole runs through the command line, on real videos and the built-in CLIP."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from data_modules.data_sets.class_lists import class_list
from data_modules.errors import InputError
from prompt_video.cli import main
from prompt_video.experiment.cli import main as run_experiment
from prompt_video.experiment.fragments import methods_of
from prompt_video.experiment.settings import read_settings
from prompt_video.preflight.dry_run import dry_run_options
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.tasks.retrieval import RetrievalTask
from tests import small_runs
from tests.small_runs import results_of

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
YAML = """
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: VideoFolder
  init_args:
    root: {root}
    val_fraction: 0.25
    test_fraction: 0.25
    batch_size: 4
    num_workers: 0
    features_root: {features}
    sampler: {{class_path: WindowSampler, init_args: {{num_frames: 8, strides: [1, 2]}}}}
model:
  class_path: RecognitionTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4, max_frames: 8}}}}
    optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.01}}}}
    schedule: cosine
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, trimmed_videos: Path) -> Path:
    """The small experiment: 8 videos to train, 4 to validate, 4 to test."""
    folder = tmp_path_factory.mktemp("small")
    path = folder / "small.yaml"
    path.write_text(YAML.format(root=trimmed_videos, features=folder / "features"))
    return path


@pytest.fixture(scope="module")
def trained(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run, to be read only."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    small_runs.run(config, "fit", folder)
    return folder


@pytest.fixture
def run(tmp_path: Path, config: Path) -> Callable[..., dict[str, Any]]:
    """Run a verb on the small experiment; gives what results.json says."""
    return lambda verb, *options, folder="run": small_runs.run(config, verb, tmp_path / folder, *options)


def test_a_run_leaves_everything_behind(trained: Path) -> None:
    results = results_of(trained)
    assert {"test/top1", "test/top5", "test/mean_class", "val/top1", "train/loss"} <= set(results["metrics"])
    assert results["samples"] == {
        "train": {"used": 8, "dropped": 0},
        "val": {"used": 4, "dropped": 0},
        "test": {"used": 4, "dropped": 0},
    }
    assert results["protocol"].startswith("closed set: all 2 classes")
    assert results["seed"] == 0
    environment = json.loads((trained / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0]
    assert "num_prefix: 2" in (trained / "config.yaml").read_text()
    for name in ("by_class.csv", "by_video.csv", "confusion.csv", "logs/metrics.csv"):
        assert (trained / name).stat().st_size > 0
    assert len((trained / "by_video.csv").read_text().splitlines()) == 1 + 4


def test_checkpoints_hold_the_learned_weights_only(trained: Path) -> None:
    best = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    assert sum(weight.numel() for weight in best["state_dict"].values()) == results_of(trained)["learned_weights"]
    assert not any(".backbone." in name for name in best["state_dict"])
    assert "optimizer_states" not in best
    assert best["prompt_video"]["spec"]["backbone"]["name"] == "tiny"
    assert best["prompt_video"]["class_names"] == ["moving left", "spinning"]


def test_the_same_seed_gives_the_same_numbers_and_evaluate_gives_them_again(
    trained: Path, run: Callable[..., Any], tmp_path: Path
) -> None:
    first, again = results_of(trained), run("fit")
    for results in (first, again):  # what depends on the clock
        del results["seconds"], results["metrics"]["data_wait"]
    assert first == again
    folders = (trained, tmp_path / "run")
    weights = [torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for folder in folders]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    evaluated = run("test", "--ckpt", str(trained / "checkpoints" / "best.ckpt"), folder="evaluated")
    assert evaluated["metrics"]["test/top1"] == first["metrics"]["test/top1"]


def test_a_checkpoint_alone_is_tested_with_the_settings_of_its_run(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [f"--ckpt={trained / 'checkpoints' / 'best.ckpt'}", "--wandb=disabled", "--quiet=true"]
    assert main(["test", *options]) == 0
    (folder,) = (tmp_path / "runs" / trained.parent.name).iterdir()
    results = results_of(folder)
    assert results["metrics"]["test/top1"] == results_of(trained)["metrics"]["test/top1"]
    assert results["tested"] == str(trained / "checkpoints" / "best.ckpt")


def test_another_seed_gives_other_numbers(trained: Path, run: Callable[..., Any]) -> None:
    other = run("fit", "--seed_everything", "1")
    assert results_of(trained)["metrics"]["train/loss"] != other["metrics"]["train/loss"]


@pytest.fixture(scope="module")
def predictions(
    trained: Path, config: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., list[list[str]]]:
    """What the trained run says of three views of each video, tested with these options."""

    @cache
    def predictions(*options: str) -> list[list[str]]:
        folder = tmp_path_factory.mktemp("views") / "run"
        checkpoint = str(trained / "checkpoints" / "best.ckpt")
        small_runs.run(config, "test", folder, "--ckpt", checkpoint, "--data.sampler.num_views", "3", *options)
        return [line.split(",") for line in (folder / "by_video.csv").read_text().splitlines()[1:]]

    return predictions


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--data.batch_size", "1"], marks=pytest.mark.slow),
        pytest.param(["--data.batch_size", "7"], marks=pytest.mark.slow),
        pytest.param(["--data.batch_size", "64"], marks=pytest.mark.slow),
        ["--data.num_workers", "2"],
        ["--data.features", "off"],
    ],
)
def test_the_test_score_depends_on_neither_batches_nor_workers_nor_the_store(
    predictions: Callable[..., list[list[str]]], options: list[str]
) -> None:
    reference, other = predictions(), predictions(*options)
    assert [row[:3] for row in reference] == [row[:3] for row in other]
    # Features of the store are kept in half precision.
    near = 2e-3 if "off" in options else 1e-5
    assert [float(row[3]) for row in other] == pytest.approx([float(row[3]) for row in reference], abs=near)


@pytest.mark.parametrize(
    "text_head",
    ["{class_path: TemplatePrompt, init_args: {templates: ['a video of {}', '{}']}}", "{class_path: LinearProbe}"],
)
def test_baselines_run_through_the_same_yaml(run: Callable[..., Any], text_head: str) -> None:
    results = run("fit", "--model.prompt", text_head, "--model.temporal.num_layers", "0")
    assert results["learned_weights"] == (0 if "Template" in text_head else 2 * 128 + 2)
    assert 0 <= results["metrics"]["test/top1"] <= 1


def test_broken_videos_are_dropped_counted_and_named(
    run: Callable[..., Any], tmp_path: Path, trimmed_videos: Path, videos: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(trimmed_videos, damaged / "train")
    for split in ("val", "test"):
        shutil.copytree(trimmed_videos, damaged / split, ignore=lambda _, names: [n for n in names if n[0] in "234567"])
    shutil.copy(videos / "audio_only.mp4", damaged / "train" / "spinning" / "silent.mp4")
    for features in ("off", "auto"):
        options = ["--data.root", str(damaged), "--data.features", features, "--data.max_broken_fraction", "0.1"]
        options.append("--trainer.max_epochs=1")
        results = run("fit", *options, folder=features)
        assert results["samples"]["train"] == {"used": 16, "dropped": 1}
        line = json.loads((tmp_path / features / "broken.jsonl").read_text())
        assert line["video_id"] == "train/spinning/silent.mp4"
        assert "no video stream" in line["reason"]


def test_too_many_broken_videos_end_the_run(
    config: Path, tmp_path: Path, trimmed_videos: Path, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(trimmed_videos, damaged)
    shutil.copy(videos / "audio_only.mp4", damaged / "spinning" / "silent.mp4")
    common = [f"--config={config}", f"--data.root={damaged}", f"--runs={tmp_path / 'runs'}"]
    assert main(["fit", *common, "--data.features=off", "--name=mine", "--wandb=disabled", "--quiet=true"]) == 1
    told = capsys.readouterr()
    assert "cannot be used, more than the share of 1.0%" in told.err
    assert "silent.mp4 (no video stream)" in told.err
    (failed,) = (tmp_path / "runs" / "mine").iterdir()
    assert failed.name.startswith("failed_")
    assert f"the run has failed; what it left is in {failed}" in told.out
    assert f"All of them: {failed / 'broken.jsonl'}." in told.err
    assert (failed / "failed.txt").read_text().splitlines()[0] == told.err.removeprefix("prompt-video: ").strip()
    assert main(["report", str(tmp_path / "runs")]) == 1
    assert f"{failed}: it has failed: " in capsys.readouterr().err


def test_a_checkpoint_of_another_shape_or_none_at_all_is_refused(
    trained: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(trained / "checkpoints" / "best.ckpt")
    common = ["test", f"--config={config}", "--wandb=disabled", "--quiet=true", f"--runs={tmp_path}"]
    assert main([*common, "--ckpt", checkpoint, "--model.prompt.num_prefix", "4"]) == 1
    assert "num_prefix" in capsys.readouterr().err
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    assert main([*common, "--ckpt", str(tmp_path / "other.ckpt")]) == 1
    assert "no checkpoint of this framework" in capsys.readouterr().err


def test_damage_is_one_sentence_and_failed_starts_leave_no_folder(
    run: Callable[..., Any], config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("fit", "--test_after_fit=false")
    folder, runs = tmp_path / "run", tmp_path / "runs"
    last = folder / "checkpoints" / "last.ckpt"
    common = [f"--config={config}", "--wandb=disabled", "--quiet=true", f"--runs={runs}"]

    def said(verb: str, *options: str) -> str:
        assert main([verb, *common, *options]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert not runs.exists(), "nothing came of it"
        return error

    assert "holds a run already (checkpoints/last.ckpt): go on with it by --ckpt last" in said(
        "fit", f"--run_folder={folder}"
    )
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    for verb in ("fit", "test"):
        error = said(verb, f"--ckpt={last}")
        assert f"{last} cannot be read as a checkpoint: it is damaged" in error
        assert f"The one before it is {folder / 'checkpoints' / 'previous.ckpt'}" in error
    assert "--model.optimizer.lr is -1.0" in said("fit", "--model.optimizer.lr=-1")
    assert "the loss of step 2 is not finite" in said("fit", "--model.optimizer.lr=1e6", "--trainer.logger=false")
    assert run("fit", "--ckpt=last", "--trainer.max_epochs=3")["epochs"] == 3
    assert "max_epochs: 3" in (folder / "config.yaml").read_text(), "the settings that the results are of"
    assert "max_epochs: 2" in (folder / "config_1.yaml").read_text()


def test_a_store_of_another_recipe_is_refused_with_what_differs(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "stores"
    made = [f"--config={config}", f"--data.features_root={store}", f"--runs={tmp_path}", "--quiet=true"]
    assert main(["features", *made]) == 0
    (folder,) = store.iterdir()
    arguments = ["fit", f"--config={config}", "--data.features", str(folder), "--data.frame_rate", "5"]
    assert main([*arguments, "--wandb=disabled", "--quiet=true", f"--runs={tmp_path}"]) == 1
    assert "frame_rate" in capsys.readouterr().err


def test_missing_and_empty_folders(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["fit", f"--config={config}", "--wandb=disabled", f"--runs={tmp_path}"]
    assert main([*common, "--data.root", str(tmp_path / "nowhere")]) == 1
    assert "there is no folder" in capsys.readouterr().err
    (tmp_path / "hollow" / "empty class").mkdir(parents=True)
    assert main([*common, "--data.root", str(tmp_path / "hollow")]) == 1
    assert "has no videos" in capsys.readouterr().err


@pytest.mark.slow
def test_wandb_works_offline_without_an_account(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    run("fit", "--wandb", "auto", "--trainer.max_epochs", "1")
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))


def test_predict_writes_the_likeliest_classes(trained: Path, config: Path, tmp_path: Path) -> None:
    common = [f"--config={config}", f"--run_folder={tmp_path / 'run'}", "--wandb=disabled", "--quiet=true"]
    assert main(["predict", *common, "--ckpt", str(trained / "checkpoints" / "best.ckpt")]) == 0
    rows = json.loads((tmp_path / "run" / "predictions.json").read_text())["predictions"]
    assert len(rows) == 4
    assert sum(one["probability"] for one in rows[0]["best"]) == pytest.approx(1)
    lines = (tmp_path / "run" / "predictions.csv").read_text().splitlines()
    assert lines[0] == "video,rank,class,probability,label"
    assert len(lines) == 1 + 4 * 2


@pytest.fixture(scope="module")
def dry_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, float]]:
    """Run an experiment with any method on a miniature of its data, which is made once; gives its figures."""

    @cache
    def small(experiment: str) -> list[str]:
        return dry_run_options(read_settings([f"--config={experiment}"]), tmp_path_factory.mktemp("miniature"))

    def run(experiment: str, method: str, *options: str) -> dict[str, float]:
        words = [f"--config={experiment}", f"--method={method}", *options, *small(experiment), "--quiet=true"]
        cli = run_experiment(["fit", *words, f"--run_folder={tmp_path_factory.mktemp('dry') / 'run'}"])
        metrics: dict[str, float] = cli.record.results["metrics"]
        return metrics

    return run


@pytest.mark.slow
@pytest.mark.parametrize("method", methods_of(["VideoTextTask", RecognitionTask.__name__]))
@pytest.mark.parametrize("experiment", ["hmdb51_5way5shot", "hmdb51_base2novel"])
def test_every_method_runs_on_every_kind_of_protocol(
    experiment: str, method: str, dry_run: Callable[..., dict[str, float]]
) -> None:
    described = ["--model.prompt.source=hmdb51-temporal"] if method.startswith("descriptions") else []
    metrics = dry_run(experiment, method, *described)
    scored = {key for key in metrics if key.startswith("test/") and key.endswith("top1")}
    if method != "linear_probe":
        assert scored
        assert any("frozen" in key for key in scored)
    elif experiment == "hmdb51_base2novel":
        assert "test/base/top1" in scored
        assert "test/novel/top1" not in scored, "a linear probe cannot score what it has not learned"


@pytest.mark.slow
@pytest.mark.parametrize("method", methods_of(["VideoTextTask", LocalizationTask.__name__]))
@pytest.mark.parametrize("experiment", ["thumos14_closed", "thumos14_openset_50"])
def test_every_localization_method_runs_in_closed_and_open_set(
    experiment: str, method: str, tmp_path: Path, dry_run: Callable[..., dict[str, float]]
) -> None:
    options = []
    if (method, experiment) == ("linear_probe", "thumos14_openset_50"):
        with pytest.raises(InputError, match="linear probe cannot name classes"):
            dry_run(experiment, method)
        return
    if method.startswith("descriptions"):
        described = {name: ["seen", "begun", "done", "over"] for name in class_list("thumos14")}
        (tmp_path / "mine.json").write_text(json.dumps(described))
        options.append(f"--model.prompt.source={tmp_path / 'mine.json'}")
    metrics = dry_run(experiment, method, *options)
    assert {"test/clip_only/map@0.3", "test/clip_only/frozen_map_avg", "test/proposals/auc"} <= metrics.keys()


@pytest.mark.slow
@pytest.mark.parametrize("method", methods_of(["VideoTextTask", RetrievalTask.__name__]))
def test_every_retrieval_method_runs(method: str, dry_run: Callable[..., dict[str, float]]) -> None:
    metrics = dry_run("msrvtt_full", method)
    assert {"test/t2v/r@1", "test/v2t/frozen_r@1", "test/t2v/dual_softmax_median_rank"} <= metrics.keys()


def test_every_experiment_is_in_the_table_of_experiments() -> None:
    text = (EXPERIMENTS / "README.md").read_text()
    for path in EXPERIMENTS.glob("*.yaml"):
        first, _, last = path.stem.rpartition("_")
        listed = f"`{path.stem}`" in text or (last.endswith("shot") and f"`{first}_2shot`" in text)
        assert listed, path.stem
        assert path.read_text().startswith("# "), "the head says what the experiment answers"
