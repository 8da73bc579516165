"""Kills in the middle of a write, two starts at once, a full disk: what was whole stays, and runs go on from it."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import torch
import yaml

from tests.small_runs import weights

pytestmark = pytest.mark.slow
Start = Callable[..., ForkServerProcess]
COMMAND = """
import os
error = sys.argv.pop(1)
os.dup2(os.open(error, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
from prompt_video.cli import main
sys.exit(main())
"""
# Bytes trickle to the disk, so that a kill meets them on their way.
TRICKLING = """
import time
from pathlib import Path

def trickle(path, content):
    content = bytes(content)
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(content), 1 << 17):
            file.write(content[start : start + (1 << 17)])
            time.sleep(0.005)

Path.write_bytes = trickle
"""
SAME_SECOND = """
import prompt_video.experiment.claim as claim
from datetime import datetime

class Fixed(datetime):
    @classmethod
    def now(cls):
        return datetime(2026, 1, 1)

claim.datetime = Fixed
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, make_videos: Callable[[Path, int], Path]) -> Path:
    return make_videos(tmp_path_factory.mktemp("videos"), 8)


@pytest.fixture
def options(small_training: list[str], root: Path, tmp_path: Path) -> list[str]:
    own = [f"--data.root={root}", f"--data.features_root={tmp_path / 'features'}", "--name=mine"]
    return ["fit", *small_training, *own]


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def finish(process: ForkServerProcess) -> int | None:
    process.join()
    return process.exitcode


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder for temporary files on another file system."""
    folder = Path("/dev/shm") / f"prompt-video-{os.getpid()}"
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("there is no other file system")
    folder.mkdir()
    yield folder
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_a_kill_in_the_middle_of_a_checkpoint(
    tmp_path: Path, options: list[str], start_python: Start, elsewhere: Path
) -> None:
    log, runs, folder = str(tmp_path / "err"), tmp_path / "runs", tmp_path / "killed"
    options = [*options, f"--runs={runs}", "--save_every_n_steps=1", "--test_after_fit=false"]
    assert finish(start_python(COMMAND, log, *options, f"--run_folder={tmp_path / 'whole'}")) == 0

    code, chance = TRICKLING + COMMAND, random.Random(0)
    last, kills = folder / "checkpoints" / "last.ckpt", 0
    for number in range(6):
        more = ["--ckpt=last"] if last.exists() else []
        process = start_python(code, log, *options, f"--run_folder={folder}", *more, TMPDIR=str(elsewhere))
        while process.is_alive() and not (last.exists() and list(last.parent.glob(".last.ckpt.*.tmp"))):
            time.sleep(0.001)
        time.sleep(chance.random() / 10 * (number % 3))
        process.kill()
        kills += finish(process) == -signal.SIGKILL
        assert torch.load(last, weights_only=True)["global_step"] > 0
    assert kills > 3
    assert finish(start_python(COMMAND, log, *options, f"--run_folder={folder}", "--ckpt=last")) == 0
    assert same(tmp_path / "whole", folder)
    assert not list(folder.rglob("*.tmp")), "what kills have left is swept"


def test_two_starts_in_one_second(tmp_path: Path, options: list[str], start_python: Start) -> None:
    runs = tmp_path / "runs"
    processes = [
        start_python(
            SAME_SECOND + COMMAND, str(tmp_path / "err"), *options, f"--runs={runs}", f"--seed_everything={seed}"
        )
        for seed in (0, 1)
    ]
    assert [finish(process) for process in processes] == [0, 0]
    folders = sorted((runs / "mine").iterdir())
    assert len(folders) == 2
    seeds = set()
    for folder in folders:
        seed = yaml.safe_load((folder / "config.yaml").read_text())["seed_everything"]
        assert json.loads((folder / "results.json").read_text())["seed"] == seed
        seeds.add(seed)
    assert seeds == {0, 1}


def test_last_leaves_a_run_alone_that_another_process_writes(
    tmp_path: Path, options: list[str], start_python: Start
) -> None:
    options = [*options, f"--runs={tmp_path / 'runs'}", "--trainer.max_epochs=3000"]
    writing = start_python(COMMAND, str(tmp_path / "first"), *options)
    while not list((tmp_path / "runs").rglob("last.ckpt")):
        assert writing.is_alive()
        time.sleep(0.02)
    (folder,) = (tmp_path / "runs" / "mine").iterdir()
    assert finish(start_python(COMMAND, str(tmp_path / "err"), *options, "--ckpt=last")) == 1
    assert f"{folder} is being written by another process ({writing.pid}@" in (tmp_path / "err").read_text()
    writing.kill()
    writing.join()
    epoch = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["epoch"]
    going_on = [*options, "--ckpt=last", f"--trainer.max_epochs={epoch + 3}", "--test_after_fit=false"]
    assert finish(start_python(COMMAND, str(tmp_path / "err"), *going_on)) == 0


@pytest.fixture
def disk(make_disk: Callable[[str], Path]) -> Path:
    """Room for one checkpoint."""
    return make_disk("4m")


def test_a_full_disk_is_found_before_the_work(
    tmp_path: Path, disk: Path, options: list[str], start_python: Start
) -> None:
    (disk / "filling").write_bytes(bytes(4 << 20))
    error = tmp_path / "err"
    assert finish(start_python(COMMAND, str(error), *options, f"--runs={disk / 'runs'}")) == 1
    assert "cannot be written" in error.read_text()
    assert "No space left on device" in error.read_text()
    assert "Traceback" not in error.read_text()
    assert not (tmp_path / "features").exists()


def test_a_disk_that_fills_up_leaves_the_last_checkpoint(
    tmp_path: Path, disk: Path, options: list[str], start_python: Start
) -> None:
    error, options = tmp_path / "err", [*options, "--test_after_fit=false"]
    assert finish(start_python(COMMAND, str(error), *options, f"--run_folder={tmp_path / 'whole'}")) == 0
    folder = disk / "run"
    assert finish(start_python(COMMAND, str(error), *options, f"--run_folder={folder}")) == 1
    said = error.read_text()
    assert "Traceback" not in said
    assert "last.ckpt cannot be written: No space left on device" in said
    assert f"--run_folder {folder} --ckpt last goes on" in said
    assert weights(folder)
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    assert finish(start_python(COMMAND, str(error), *options, f"--run_folder={folder}", "--ckpt=last")) == 0
    assert same(tmp_path / "whole", folder)
