"""Ctrl-C and SIGTERM while something is taught, watched, calibrated, planned or chosen."""

import shutil
import signal
from pathlib import Path
from typing import Protocol

import pytest

from data_modules.features.store import FeatureStore
from tests.slowed import ENCODING, FIT, Start, start, stopped

pytestmark = pytest.mark.slow
SCORING = ("prompt_video.inference.loaded", "LoadedModel", "score", 2)
WATCHING = ("prompt_video.inference.watching", "Watcher", "_moment", 2)
TERM, INT = signal.SIGTERM, signal.SIGINT


class Trained(Protocol):
    """What `train` leaves."""

    root: Path
    config: Path

    @property
    def checkpoint(self) -> Path: ...


def lesson(folder: Path, root: Path) -> list[str]:
    return ["teach", str(root), f"--runs={folder / 'runs'}", f"--features_root={folder / 'features'}"]


@pytest.mark.parametrize(
    ("phase", "signum"),
    [("extraction", TERM), ("extraction", INT), ("trials", TERM), ("training", INT)],
    ids=["extraction-TERM", "extraction-INT", "trying-TERM", "learning-INT"],
)
def test_a_lesson_stops_in_each_phase(
    tmp_path: Path, trimmed_videos: Path, few_clips: Path, start_python: Start, phase: str, signum: signal.Signals
) -> None:
    examples, count = (trimmed_videos, 16) if phase == "extraction" else (few_clips, 4)  # more than one batch
    process = start(start_python, tmp_path / "marker", FIT[phase], *lesson(tmp_path, examples))
    said = stopped(process, signum, tmp_path / "marker")
    assert said.endswith("the same command gives the lesson again; frame features that were computed are kept.")
    (store,) = (tmp_path / "features").iterdir()
    assert len(FeatureStore(store)) == count or (phase == "extraction" and len(FeatureStore(store)))
    assert not list((tmp_path / "runs").rglob("lesson.json"))


def test_what_was_taught_is_there_when_labels_are_stopped(tmp_path: Path, few_clips: Path, start_python: Start) -> None:
    own = Path(shutil.copytree(few_clips / "spinning", tmp_path / "own"))
    following = ["--then", "label", str(own), f"--csv={tmp_path / 'labels.csv'}"]
    process = start(start_python, tmp_path / "marker", SCORING, *lesson(tmp_path, few_clips), *following)
    said = stopped(process, TERM, tmp_path / "marker")
    (checkpoint,) = (tmp_path / "runs" / "taught").glob("*/checkpoints/last.ckpt")
    assert f"prompt-video label {own} --csv={tmp_path / 'labels.csv'}" in said
    assert said.endswith(f"--ckpt {checkpoint} goes on with what was taught.")
    assert not (tmp_path / "labels.csv").exists()


@pytest.mark.parametrize(
    ("verb", "signum"),
    [("calibrate", TERM), ("plan", INT), ("watch", TERM), ("fit", INT)],
    ids=["calibrate", "plan", "watch", "fit"],
)
def test_other_work_stops(
    tmp_path: Path, recognition: Trained, start_python: Start, verb: str, signum: signal.Signals
) -> None:
    root, own, experiment = recognition.root, tmp_path / "own.ckpt", ["--config", str(recognition.config)]
    content = recognition.checkpoint.read_bytes()
    own.write_bytes(content)
    few = ["--data.protocol=FewShot", "--data.protocol.source=drawn", "--data.protocol.shots=2"]
    choosing = ["--method=cache", '--choose={"prompt.alpha": [0.0, 50.0]}', *few, f"--run_folder={tmp_path / 'run'}"]
    stores = ["--data.features=auto", f"--data.features_root={tmp_path / 'features'}"]
    places = {
        "calibrate": (SCORING, [str(root), f"--ckpt={own}"]),
        "plan": (ENCODING, [*experiment, *stores]),
        "watch": (WATCHING, [str(next(root.rglob("*.mp4"))), f"--ckpt={own}", "--every=0.1", "--follow"]),
        "fit": (FIT["test"], [*experiment, *stores, *choosing, "--wandb=disabled"]),  # within `choose`
    }
    place, arguments = places[verb]
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = start(start_python, tmp_path / "marker", place, verb, *arguments, TMPDIR=str(temporary))
    said = stopped(process, signum, tmp_path / "marker")
    assert "the same command starts it again" in said
    assert own.read_bytes() == content
    assert not list(temporary.rglob("*.safetensors")), "a plan's store is thrown away"
