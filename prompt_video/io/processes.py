"""Processes that share out work on this machine, and end with the one that they work for."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Literal

import torch

from data_modules.errors import InputError

StartMethod = Literal["fork", "spawn"]
SECONDS = 10.0  # more than a gradient takes on any machine


def start_method(threads: int, device: Literal["cuda", "cpu"] = "cpu") -> StartMethod:
    """How processes start: by a copy of this one, which takes no time and shares its memory, wherever that is safe.

    It is not where a GPU has been spoken to, nor for several threads each: what has computed on several threads hangs
    in the copy, unless it computes on one only; nor once autograd has threads of its own. Elsewhere than on Linux the
    system's own libraries take it amiss.

    Args:
        threads: that each process is to compute on.
        device: that it is to compute on.
    """
    may_copy = sys.platform == "linux" and device == "cpu" and threads == 1 and _copies_compute_gradients()
    return "fork" if may_copy else "spawn"


def _copies_compute_gradients() -> bool:
    """Tried on a copy: torch refuses it for good in a process whose autograd has started threads, and tells of none."""
    copy = multiprocessing.get_context("fork").Process(target=_compute_a_gradient, daemon=True)
    copy.start()
    copy.join(SECONDS)
    copy.kill()
    copy.join()
    return copy.exitcode == 0


def _compute_a_gradient() -> None:
    try:
        torch.autograd.backward(torch.ones((), requires_grad=True).sqrt())
    except RuntimeError:
        os._exit(1)


@contextmanager
def worker_processes(
    count: int,
    threads: int,
    method: StartMethod,
    prepare: Callable[..., None] | None = None,
    arguments: tuple[object, ...] = (),
    *,
    if_killed: str,
) -> Iterator[ProcessPoolExecutor]:
    """Processes to submit work to. All end at once when this one leaves by an error, by a signal, or is killed.

    Args:
        count: of processes.
        threads: that each of them computes on.
        method: how they start.
        prepare: called once in each of them, before its first work; may be any callable with ``fork``.
        arguments: of ``prepare``.
        if_killed: what to say when the system ends one of them.

    Raises:
        InputError: when the system ends one of them.
    """
    context = multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(threads, prepare, arguments))
    try:
        yield pool
    except BaseException as error:
        for process in multiprocessing.active_children():
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            raise InputError(if_killed) from error
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(threads: int, prepare: Callable[..., None] | None, arguments: tuple[object, ...]) -> None:
    """In each process: the cores are shared out, only the first process talks, and Ctrl-C is that one's to obey."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    logging.disable(logging.INFO)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if prepare is not None:
        prepare(*arguments)


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
