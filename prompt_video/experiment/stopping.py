"""Ctrl-C and SIGTERM: work stops where it is, in every phase, and says how to go on."""

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TOGETHER_SEC = 3.0  # signals so close to each other are one
IMPATIENT_SEC = 30.0  # a second Ctrl-C within this ends the process at once


class Stopped(BaseException):
    """A signal asked for the end. No `KeyboardInterrupt`, which Lightning answers by itself and with exit code 1.

    Args:
        signum: the signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signal.Signals(signum)
        self.how_to_go_on: str | None = None

    @property
    def exit_code(self) -> int:
        """As shells give it: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.signum

    def __str__(self) -> str:
        asked = "Ctrl-C" if self.signum == signal.SIGINT else self.signum.name
        return f"stopped by {asked}"


@contextmanager
def obeying_signals() -> Iterator[None]:
    """Within this, the first signal raises `Stopped` in the main thread, wherever it is; a second Ctrl-C kills."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    global _asked_sec, _obeyed
    _asked_sec, _obeyed = -math.inf, True
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    for signum in SIGNALS:
        signal.signal(signum, _stop)
    _spare_forks()
    try:
        yield
    finally:
        _obeyed = False
        for signum, handler in before.items():
            signal.signal(signum, handler)


def obey_again() -> None:
    """Where `obeying_signals` holds, and a library has put a handler of its own in the place of ours."""
    if _obeyed and threading.current_thread() is threading.main_thread():
        for signum in SIGNALS:
            signal.signal(signum, _stop)


_asked_sec = -math.inf
_obeyed = False


def _stop(signum: int, frame: FrameType | None) -> None:
    global _asked_sec
    before, _asked_sec = _asked_sec, time.monotonic()
    if signum == signal.SIGINT and _asked_sec - before < IMPATIENT_SEC:
        os._exit(128 + signum)
    # Whoever started this process may send SIGTERM besides the Ctrl-C of the terminal: once is enough.
    if _asked_sec - before > TOGETHER_SEC:
        raise Stopped(signum)


_spared = False


def _spare_forks() -> None:
    """Loaders' processes end without a word: the one that they work for stops, and ends them."""
    global _spared
    if not _spared and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_in_fork)
        _spared = True


def _in_fork() -> None:
    if signal.getsignal(signal.SIGTERM) is _stop or signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Not the system's own way, at which torch in the other process raises an error.
        signal.signal(signal.SIGTERM, _leave)
        sys.excepthook = _say_unless_cut_off


def _say_unless_cut_off(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    """The one that a process works for may stop in the middle of taking a batch from it, which is no error of its."""
    if not issubclass(kind, OSError | EOFError):
        sys.__excepthook__(kind, error, at)


def _leave(signum: int, frame: FrameType | None) -> NoReturn:
    os._exit(0)
