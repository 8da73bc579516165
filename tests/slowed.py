"""Commands that are slowed down at a place of the code, and stopped there."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

Start = Callable[..., ForkServerProcess]
OBEYED_SEC = 90.0  # on a machine that is busy with other tests
# A place of the code is slowed down from the time on when it says that it was reached.
SLOWED = """
import functools, importlib, os, pathlib, pickle, time
marker, module, owner, name, calls = sys.argv[1:6]
del sys.argv[1:6]
os.setpgrp()
for number, end in ((1, ".out"), (2, ".err")):
    os.dup2(os.open(marker + end, os.O_CREAT | os.O_WRONLY), number)
owner = getattr(importlib.import_module(module), owner)
original, count = getattr(owner, name), []

@functools.wraps(original)
def slowed(*args, **kwargs):
    count.append(1)
    if len(count) >= int(calls):
        pathlib.Path(marker).touch()
        time.sleep(0.5)
    return original(*args, **kwargs)

setattr(owner, name, slowed)
from prompt_video.cli import main
sys.exit(main())
"""
FIT = {
    "start": ("prompt_video.experiment.cli", "ExperimentCLI", "before_instantiate_classes", 1),
    "extraction": ("data_modules.modules.extraction", "ExtractionTask", "predict_step", 2),
    "training": ("prompt_video.tasks.recognition", "RecognitionTask", "training_step", 6),
    "validation": ("prompt_video.tasks.recognition", "RecognitionTask", "validation_step", 3),
    "test": ("prompt_video.tasks.recognition", "RecognitionTask", "test_step", 1),
    "trials": ("prompt_video.trials.stacked_task", "StackedTask", "training_step", 2),
}
ENCODING = ("prompt_video.backbones.backbone", "FrozenBackbone", "encode_frames", 2)


def stopped(process: ForkServerProcess, signum: signal.Signals, marker: Path) -> str:
    """Signal a process and its loaders once the marker is there; gives what the process said on stderr."""
    while not marker.exists():
        assert process.is_alive(), marker.with_name(marker.name + ".err").read_text()
        time.sleep(0.02)
    assert process.pid is not None
    asked = time.monotonic()
    if signum == signal.SIGINT:
        os.killpg(process.pid, signum)
    else:
        os.kill(process.pid, signum)
    process.join(OBEYED_SEC)
    error = marker.with_name(marker.name + ".err").read_text()
    assert process.exitcode == 128 + signum, error
    assert time.monotonic() - asked < OBEYED_SEC
    said = [line for line in error.splitlines() if line.startswith("prompt-video: stopped by")]
    assert len(said) == 1, error
    assert "Traceback" not in error
    assert "Error" not in error
    return said[0]


def ended(process: ForkServerProcess, signum: signal.Signals, marker: Path) -> str:
    """Signal a process alone; gives what it said on stderr."""
    assert process.pid is not None
    os.kill(process.pid, signum)
    process.join(OBEYED_SEC)
    error = marker.with_name(marker.name + ".err").read_text()
    assert process.exitcode == 128 + signum, error
    assert "Traceback" not in error
    return error


def start(
    start_python: Start, marker: Path, place: Sequence[str | int], *arguments: str, **environment: str
) -> ForkServerProcess:
    """Start a command that makes the marker when it reaches a place for as many times as that says."""
    return start_python(SLOWED, str(marker), *map(str, place), *arguments, **environment)
