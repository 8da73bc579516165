"""Runs of several processes end together at a signal."""

import subprocess
import time

from lightning.pytorch import Callback, LightningModule, Trainer

from prompt_video.experiment.stopping import SIGNALS, Stopped, obey_again

LEAVE_SEC = 5.0  # for a process that has features to write; one that waits for another never leaves by itself


class StopTogether(Callback):
    """Keeps signals this program's own in every phase of a trainer.

    At SIGTERM Lightning asks all processes, within its handler, whether they were asked to end. One that waits for
    another in a collective of training never answers, and the run hangs for ever.
    """

    def on_sanity_check_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lightning has put its handler in place."""
        obey_again()

    on_train_start = on_validation_start = on_test_start = on_predict_start = on_sanity_check_start

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """A signal is for all processes."""
        if isinstance(exception, Stopped):
            end_others(trainer)


def end_others(trainer: Trainer) -> None:
    """End the processes that Lightning has started beside this one."""
    started: list[object] = getattr(trainer.strategy.launcher, "procs", [])
    others = [process for process in started if isinstance(process, subprocess.Popen)]
    started.clear()  # Lightning kills this process, too, when it finds that one of them has ended
    for process in others:
        process.send_signal(SIGNALS[-1])
    latest = time.monotonic() + LEAVE_SEC
    for process in others:
        try:
            process.wait(max(latest - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
