"""Two processes do what one does; and what is tested depends on neither batches nor loader processes."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from prompt_video.cli import main
from tests.small_runs import rows_of, weights

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


def predictions(folder: Path) -> list[dict[str, str]]:
    return rows_of(folder / "by_video.csv")


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


def on_two_nodes(launcher: Literal["torchrun", "slurm"], arguments: Sequence[str]) -> None:
    """Run a command as two nodes of one process each would, on the loopback address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    nodes = ["--trainer.num_nodes=2", "--trainer.devices=1", "--trainer.strategy=ddp"]
    command = ["-m", "prompt_video", *arguments, *nodes]
    processes = []
    for rank in range(2):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        if launcher == "torchrun":
            run = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc_per_node=1", f"--node_rank={rank}"]
            run += ["--master_addr=127.0.0.1", f"--master_port={port}", *command]
        else:  # what srun tells each of its tasks
            run, both = command, {"NTASKS": 2, "NNODES": 2, "NTASKS_PER_NODE": 1, "JOB_ID": 7, "JOB_NAME": "prompts"}
            own = {**both, "NODELIST": "127.0.0.1", "PROCID": rank, "NODEID": rank, "LOCALID": 0}
            environment |= {f"SLURM_{name}": str(value) for name, value in own.items()}
            environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        processes.append(subprocess.Popen([sys.executable, *run], env=environment, stderr=subprocess.PIPE, text=True))
    try:
        ends = [process.communicate(timeout=240)[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], "\n".join(ends)
    finally:
        for process in processes:
            process.kill()


@pytest.fixture(scope="module")
def by_one(common: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone") / "one"
    assert main(one_step(common, folder, 16, "--trainer.devices=1")) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["torchrun", "slurm"])
def test_two_nodes_take_the_step_of_one(
    common: list[str], by_one: Path, tmp_path: Path, launcher: Literal["torchrun", "slurm"]
) -> None:
    on_two_nodes(launcher, one_step(common, tmp_path / "two", 8))
    one, two = weights(by_one), weights(tmp_path / "two")
    assert all(torch.allclose(one[name], two[name], rtol=0, atol=1e-5) for name in one)
    assert figures(tmp_path / "two") == pytest.approx(figures(by_one), abs=1e-6)
    assert_same_predictions(predictions(by_one), predictions(tmp_path / "two"), 1e-5)


@pytest.mark.slow
def test_a_job_that_is_put_back_into_the_queue_goes_on(common: list[str], tmp_path: Path) -> None:
    def job(folder: Path) -> list[str]:  # one command, whether it begins or goes on
        training = ["--trainer.max_epochs=60", "--data.batch_size=8", f"--run_folder={folder}", "--ckpt=last"]
        return ["fit", *common, *training, "--trainer.devices=1"]

    slurm = {"NTASKS": "1", "NNODES": "1", "JOB_ID": "7", "JOB_NAME": "prompts", "NODELIST": "127.0.0.1"}
    slurm |= {"PROCID": "0", "NODEID": "0", "LOCALID": "0", "NTASKS_PER_NODE": "1"}
    environment = {**os.environ, **{f"SLURM_{name}": value for name, value in slurm.items()}}
    command = [sys.executable, "-m", "prompt_video", *job(tmp_path / "stopped")]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    last = tmp_path / "stopped" / "checkpoints" / "last.ckpt"
    deadline = time.monotonic() + 120
    while not last.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()  # as SLURM does before the end of the job's time
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 143, said
    assert "--ckpt last goes on" in said
    assert not (tmp_path / "stopped" / "results.json").exists()
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert again.returncode == 0, again.stderr
    assert main(job(tmp_path / "whole")) == 0
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "stopped")
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert figures(tmp_path / "stopped") == figures(tmp_path / "whole")


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
    [
        pytest.param(["--data.batch_size=1"], marks=pytest.mark.slow),
        pytest.param(["--data.batch_size=7"], marks=pytest.mark.slow),
        ["--data.num_workers=2"],
    ],
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
