"""Ctrl-C and SIGTERM in each phase of real commands, sent as a terminal does: to the loaders' processes too."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import pytest
import torch

from data_modules.features.store import FeatureStore
from tests.slowed import ENCODING, FIT, OBEYED_SEC, Start, ended, start, stopped

pytestmark = pytest.mark.slow


class Trained(Protocol):
    """What `train` leaves."""

    root: Path

    @property
    def checkpoint(self) -> Path: ...


TERM, INT, KILL = signal.SIGTERM, signal.SIGINT, signal.SIGKILL
TRIALS = ["--data.protocol=FewShot", "--data.protocol.source=drawn", "--data.protocol.shots=2"]
TRIALS += ["--data.protocol.num_trials=3", "--data.test_fraction=0.5", "--data.val_fraction=0", "--trials_at_a_time=2"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, make_videos: Callable[[Path, int], Path]) -> Path:
    return make_videos(tmp_path_factory.mktemp("videos"), 8)


def options(root: Path, folder: Path) -> list[str]:
    return [
        "--data=VideoFolder",
        f"--data.root={root}",
        f"--data.features_root={folder / 'features'}",
        "--data.val_fraction=0.25",
        "--data.test_fraction=0.25",
        "--data.batch_size=2",
        "--data.num_workers=1",
        "--model=RecognitionTask",
        "--model.prompt.num_prefix=2",
        "--model.prompt.num_suffix=2",
        "--model.temporal.num_heads=4",
        "--model.optimizer=torch.optim.AdamW",
        "--model.optimizer.lr=0.01",
        "--trainer.max_epochs=3",
        "--trainer.num_sanity_val_steps=0",
        "--trainer.accelerator=cpu",
        "--wandb=disabled",
        "--quiet=true",
    ]


# What a loader is in gets both; elsewhere they take turns: a handler of ours makes the same of them.
IN_PHASES = [(phase, signum) for phase in ("extraction", "training") for signum in (TERM, INT)]
IN_PHASES += [("start", TERM), ("validation", INT), ("test", TERM), ("trials", INT)]


@pytest.mark.parametrize(("phase", "signum"), IN_PHASES, ids=[f"{phase}-{s.name}" for phase, s in IN_PHASES])
def test_a_run_stops_in_each_phase(
    tmp_path: Path, root: Path, start_python: Start, phase: str, signum: signal.Signals
) -> None:
    more = TRIALS if phase == "trials" else []
    arguments = ["fit", *options(root, tmp_path), *more, f"--runs={tmp_path / 'runs'}", "--name=mine"]
    process = start(start_python, tmp_path / "marker", FIT[phase], *arguments)
    said = stopped(process, signum, tmp_path / "marker")
    folders = list((tmp_path / "runs").glob("mine/*"))
    if phase in ("training", "validation", "test", "trials"):
        assert f"--run_folder {folders[0]} --ckpt last goes on" in said
        assert not (folders[0] / "results.json").exists() or phase == "test"
    else:
        assert "the same command starts it again" in said
    if phase in ("start", "extraction"):
        assert not folders, "it had not begun"
    if phase == "extraction":
        (store,) = (tmp_path / "features").iterdir()
        assert 0 < len(FeatureStore(store)) < 16, "what was computed is kept"


def test_a_sweep_stops_with_its_run(tmp_path: Path, root: Path, start_python: Start) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text("method: grid\nparameters: {seed_everything: {values: [0, 1]}}\n")
    runs = f"--runs={tmp_path / 'runs'}"
    place = ("prompt_video.experiment.tables.running", "subprocess", "Popen", 1)
    arguments = ["sweep", str(sweep), *options(root, tmp_path), runs, "--name=mine", "--trainer.max_epochs=2000"]
    process = start(start_python, tmp_path / "begun", place, *arguments)
    while not list((tmp_path / "runs").rglob("last.ckpt")):
        assert process.is_alive()
        time.sleep(0.05)
    error = ended(process, INT, tmp_path / "begun")
    assert "prompt-video: stopped by" in error.splitlines()[-1]
    assert len(list((tmp_path / "runs" / "tables" / "runs").glob("*/*"))) == 1, "the second point has not begun"


def two_processes(folder: Path, root: Path) -> tuple[subprocess.Popen[str], int]:
    """A run that trains on two processes, of which Lightning starts the second; it, and the number of the second."""
    two = ["--trainer.devices=2", "--trainer.strategy=ddp", "--save_every_n_steps=1", f"--run_folder={folder}"]
    arguments = ["fit", *options(root, folder.parent), *two, "--trainer.max_epochs=2000"]
    program = subprocess.Popen([sys.executable, "-m", "prompt_video", *arguments], stderr=subprocess.PIPE, text=True)
    while not (folder / "checkpoints" / "last.ckpt").exists():
        assert program.poll() is None, program.communicate()
        time.sleep(0.05)
    time.sleep(1.0)
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    (second,) = (int(pid) for pid in children if b"LOCAL_RANK=1" in Path(f"/proc/{pid}/environ").read_bytes())
    return program, second


def check_whole(folder: Path, pid: int) -> None:
    """A process ends, and the checkpoint of its run can be read."""
    latest = time.monotonic() + OBEYED_SEC
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < latest, "a process is left over"
        time.sleep(0.1)
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] > 0


def test_a_run_of_two_processes_stops_whole(tmp_path: Path, root: Path) -> None:
    """Lightning's own handler would wait for ever for an answer from the second one."""
    program, second = two_processes(tmp_path / "run", root)
    program.terminate()
    _, error = program.communicate(timeout=OBEYED_SEC)
    assert program.returncode == 143, error
    assert "Traceback" not in error
    assert error.count("prompt-video: stopped by SIGTERM") == 1
    assert f"--run_folder {tmp_path / 'run'} --ckpt last goes on" in error
    check_whole(tmp_path / "run", second)


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "second"])
def test_one_of_two_processes_is_killed(tmp_path: Path, root: Path, is_first: bool) -> None:
    program, second = two_processes(tmp_path / "run", root)
    os.kill(program.pid if is_first else second, signal.SIGKILL)
    _, error = program.communicate(timeout=2 * OBEYED_SEC)
    assert program.returncode == (-signal.SIGKILL if is_first else 1), error
    assert "Traceback" not in error
    assert "prompt-video: another process of this run has ended or cannot be reached" in error
    assert f"--run_folder {tmp_path / 'run'} --ckpt last goes on" in error
    check_whole(tmp_path / "run", second)


def test_a_table_stops_with_its_run(tmp_path: Path, start_python: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = ("prompt_video.experiment.tables.running", "subprocess", "Popen", 1)
    arguments = ["table", "demo_closed_ablation", "--dry_run", f"--runs={tmp_path / 'runs'}"]
    process = start(start_python, tmp_path / "marker", place, *arguments)
    while not list((tmp_path / "runs").rglob("environment.json")):
        assert process.is_alive(), (tmp_path / "marker.err").read_text()
        time.sleep(0.05)
    error = ended(process, TERM, tmp_path / "marker")
    assert error.splitlines()[-1].endswith("the same command goes on where it was."), error


@pytest.mark.parametrize("signum", [INT, KILL], ids=["INT", "KILL"])
def test_predictions_stop_and_leave_those_of_before(
    tmp_path: Path, recognition: Trained, start_python: Start, signum: signal.Signals
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "predictions.csv").write_text("of before")
    arguments = ["predict", str(recognition.root), f"--ckpt={recognition.checkpoint}", f"--out={out}"]
    process = start(start_python, tmp_path / "marker", ENCODING, *arguments)
    if signum == signal.SIGKILL:
        while not (tmp_path / "marker").exists():
            assert process.is_alive(), (tmp_path / "marker.err").read_text()
            time.sleep(0.02)
        process.kill()
        process.join()
    else:
        stopped(process, signum, tmp_path / "marker")
    assert (out / "predictions.csv").read_text() == "of before"
    assert not (out / "predictions.json").exists()


def test_the_demo_stops_with_its_runs(tmp_path: Path, start_python: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = ("prompt_video.demo.program", "Demo", "run", 1)
    process = start(start_python, tmp_path / "marker", place, "demo", f"--out={tmp_path / 'demo'}")
    while not list((tmp_path / "demo").rglob("environment.json")):
        assert process.is_alive()
        time.sleep(0.05)
    stopped(process, INT, tmp_path / "marker")


@pytest.mark.parametrize(
    ("verb", "signum", "place", "arguments"),
    [
        (
            "index",
            TERM,
            FIT["extraction"],
            ["--frozen", "--model=RecognitionTask", "--data=VideoFolder", "--data.root=none"],
        ),
        ("label", INT, ENCODING, ["--classes=spinning, moving left"]),
    ],
    ids=["index", "label"],
)
def test_work_on_own_videos_stops(
    tmp_path: Path,
    root: Path,
    start_python: Start,
    verb: str,
    place: Sequence[str | int],
    arguments: list[str],
    signum: signal.Signals,
) -> None:
    out = [f"--out={tmp_path / 'index'}"] if verb == "index" else []
    process = start(start_python, tmp_path / "marker", place, verb, str(root), *arguments, *out)
    stopped(process, signum, tmp_path / "marker")
    if verb == "index":
        assert 0 < len(FeatureStore(tmp_path / "index")) < 16, "what was computed is kept"
