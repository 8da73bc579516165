"""Runs of several processes end together: at a signal, and when one of them is lost."""

import os
import subprocess
import sys
import threading
import time

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from prompt_video.experiment.stopping import SIGNALS, Stopped, obey_again

LOST = "another process of this run has ended or cannot be reached, so that this one ends, too"
NOTICE_SEC = 60.0  # NCCL may wait for minutes for one that is gone
LEAVE_SEC = 5.0  # for a process that has features to write; one that waits for another never leaves by itself

_started: list["subprocess.Popen[bytes]"] = []  # beside this one, by Lightning


class StopTogether(Callback):
    """Keeps signals this program's own in every phase of a trainer.

    At SIGTERM Lightning asks all processes, within its handler, whether they were asked to end. One that waits for
    another in a collective of training never answers, and the run hangs for ever.
    """

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lightning has put its handler in place, and started the other processes."""
        obey_again()
        _watch_over(trainer)

    on_train_start = on_validation_start = on_test_start = on_predict_start = on_sanity_check_start

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """A signal is for all processes."""
        if isinstance(exception, Stopped):
            end_others(trainer)


def end_others(trainer: Trainer) -> None:
    """End the processes that Lightning has started beside this one."""
    _take_over(trainer)
    others = _started.copy()
    _started.clear()
    for process in others:
        process.send_signal(SIGNALS[-1])
    latest = time.monotonic() + LEAVE_SEC
    for process in others:
        try:
            process.wait(max(latest - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _take_over(trainer: Trainer) -> None:
    """Lightning kills this process without a word when it finds that one of its own has ended: they become ours."""
    started: list[object] = getattr(trainer.strategy.launcher, "procs", [])
    _started.extend(process for process in started if isinstance(process, subprocess.Popen))
    started.clear()


def _watch_over(trainer: Trainer) -> None:
    is_first = not _started
    _take_over(trainer)
    if is_first and _started:
        threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    """Where one has ended, this process learns it from its next message to it; if it hangs instead, it ends here."""
    while all(process.poll() in (None, 0) for process in _started):
        if all(process.poll() == 0 for process in _started):
            return
        time.sleep(1.0)
    time.sleep(NOTICE_SEC)
    print(f"prompt-video: {LOST}.", file=sys.stderr, flush=True)
    for process in _started:
        process.kill()
    os._exit(1)


def has_lost_another(error: BaseException | None) -> bool:
    """Whether another process of a run has ended, or cannot be reached, as gloo and NCCL tell it.

    Args:
        error: with those that it came of.
    """
    while error is not None:
        if isinstance(error, torch.distributed.DistError) or "gloo/transport" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
