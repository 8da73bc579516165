"""Two processes do what one does; and what is tested depends on neither batches nor loader processes."""

import csv
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from prompt_video.cli import main

FOLDER = Path(__file__).parents[3] / "experiments" / "folder_closed.yaml"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, make_videos: Callable[[Path, int], Path]) -> Path:
    """Two classes: 16 videos to train, 7 to test, an odd number."""
    made = make_videos(tmp_path_factory.mktemp("made"), 12)
    root = tmp_path_factory.mktemp("videos")
    for folder in sorted(made.iterdir()):
        for number, file in enumerate(sorted(folder.iterdir())):
            if number < 11 or folder.name == "spinning":
                target = root / ("train" if number < 8 else "test") / folder.name / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                file.rename(target)
    return root


@pytest.fixture(scope="module")
def common(root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [
        f"--config={FOLDER}",
        f"--data.root={root}",
        f"--data.features_root={tmp_path_factory.mktemp('features')}",
        "--data.val_fraction=0",
        "--data.num_workers=0",
        "--model.backbone=tiny",
        "--trainer.accelerator=cpu",
        "--wandb=disabled",
        "--quiet=true",
    ]


def one_step(common: list[str], folder: Path, batch_size: int, *options: str) -> list[str]:
    """Arguments of one step of plain gradient descent at rate 1, and of the test after it."""
    step = [
        "--trainer.max_steps=1",
        "--model.optimizer.class_path=torch.optim.SGD",
        "--model.optimizer.init_args.lr=1.0",
    ]
    return ["fit", *common, f"--run_folder={folder}", f"--data.batch_size={batch_size}", *step, *options]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return state


def predictions(folder: Path) -> list[dict[str, str]]:
    with (folder / "by_video.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def figures(folder: Path) -> dict[str, float]:
    metrics: dict[str, float] = json.loads((folder / "results.json").read_text())["metrics"]
    return {name: value for name, value in metrics.items() if name.startswith("test/")}


def assert_same_predictions(one: list[dict[str, str]], other: list[dict[str, str]], near: float) -> None:
    assert [row["video_id"] for row in one] == [row["video_id"] for row in other]
    assert [(row["target"], row["pred"]) for row in one] == [(row["target"], row["pred"]) for row in other]
    assert [float(row["probability"]) for row in one] == pytest.approx(
        [float(row["probability"]) for row in other], abs=near
    )


def test_two_processes_take_the_step_of_one(
    common: list[str], root: Path, tmp_path: Path, run_on_two_devices: Callable[[Sequence[str]], None]
) -> None:
    # The frame features are computed by the two as well, each its share of the videos.
    run_on_two_devices(one_step(common, tmp_path / "two", 8))
    assert main(one_step(common, tmp_path / "one", 16, "--trainer.devices=1")) == 0
    still = ["--trainer.devices=1", "--model.optimizer.init_args.lr=0.0", "--test_after_fit=false"]
    assert main(one_step(common, tmp_path / "start", 16, *still)) == 0
    one, two, start = (weights(tmp_path / name) for name in ("one", "two", "start"))
    assert one.keys() == two.keys() == start.keys()
    # The difference of the weights is that of the gradients, every one of which is felt.
    assert all(torch.allclose(one[name], two[name], rtol=0, atol=1e-5) for name in one)
    assert max(float((one[name] - start[name]).abs().max()) for name in one) > 1e-2
    rows = predictions(tmp_path / "two")
    assert sorted(row["video_id"] for row in rows) == sorted(
        path.relative_to(root).as_posix() for path in (root / "test").rglob("*.mp4")
    )
    assert len(rows) == 7
    assert_same_predictions(predictions(tmp_path / "one"), rows, 1e-5)
    found = figures(tmp_path / "one")
    assert "test/top1" in found
    assert figures(tmp_path / "two") == pytest.approx(found, abs=1e-6)
    for name in ("results.json", "by_class.csv", "confusion.csv", "config.yaml"):
        assert (tmp_path / "two" / name).exists()


@pytest.fixture(scope="module")
def evaluate(common: list[str], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Train a little once, then test with 3 views x 3 crops; gives the run folder."""
    folder = tmp_path_factory.mktemp("views")
    views = ["--data.num_crops=3", "--data.sampler.num_views=3", "--data.sampler.num_frames=8"]
    shared = [*common, *views, "--trainer.devices=1"]
    step = ["--trainer.max_steps=2", "--data.batch_size=8", "--test_after_fit=false", f"--run_folder={folder / 'fit'}"]
    assert main(["fit", *shared, *step]) == 0
    checkpoint = folder / "fit" / "checkpoints" / "last.ckpt"

    @cache
    def test(name: str, *options: str) -> Path:
        assert main(["test", *shared, f"--ckpt={checkpoint}", f"--run_folder={folder / name}", *options]) == 0
        return folder / name

    return test


@pytest.mark.parametrize(
    "options",
    [["--data.batch_size=1"], pytest.param(["--data.batch_size=7"], marks=pytest.mark.slow), ["--data.num_workers=2"]],
)
def test_views_and_crops_are_averaged_alike_however_they_are_loaded(
    evaluate: Callable[..., Path], options: list[str]
) -> None:
    reference = evaluate("reference")  # of batches of 64
    other = evaluate("_".join(options).removeprefix("--data."), *options)
    assert len(predictions(reference)) == 7
    assert_same_predictions(predictions(reference), predictions(other), 1e-5)
    assert figures(reference) == pytest.approx(figures(other), abs=1e-6)


@pytest.mark.slow
def test_random_views_are_the_same_ones_each_time(evaluate: Callable[..., Path]) -> None:
    def test(name: str, *options: str) -> tuple[list[dict[str, str]], Any]:
        folder = evaluate(name, "--data.sampler.random_views=true", *options)
        return predictions(folder), figures(folder)

    first, again = test("first"), test("again")
    assert first == again
    assert_same_predictions(first[0], test("small batches", "--data.batch_size=2", "--data.num_workers=2")[0], 1e-5)
    assert test("another seed", "--seed_everything=1")[0] != first[0]
