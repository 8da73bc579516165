"""Processes that share out work on this machine, and end with the one that they work for."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Literal

import torch

from data_modules.errors import InputError

StartMethod = Literal["fork", "spawn"]


@contextmanager
def worker_processes(count: int, threads: int, method: StartMethod, *, if_killed: str) -> Iterator[ProcessPoolExecutor]:
    """Processes to submit work to. All end at once when this one leaves by an error, by a signal, or is killed.

    Args:
        count: of processes.
        threads: that each of them computes on.
        method: how they start: by a copy of this one, which takes no time and shares its memory, or anew. A copy hangs
            where this one has computed on several threads, or spoken to a GPU.
        if_killed: what to say when the system ends one of them.

    Raises:
        InputError: when the system ends one of them.
    """
    context = multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(threads,))
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


def _begin(threads: int) -> None:
    """In each process: the cores are shared out, only the first process talks, and Ctrl-C is that one's to obey."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    logging.disable(logging.INFO)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
