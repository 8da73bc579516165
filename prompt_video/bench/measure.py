"""How the benchmarks measure: interleaved times, the machine's matmul peak, and memory that one call adds."""

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch

from prompt_video.frozen_linear import frozen_linear

PEAK_SHAPES = ((2048, 2048, 2048), (1024, 512, 2048), (1024, 2048, 512))


def interleaved(variants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each variant. All run once in every round, so that they see the same state of the machine."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for call in variants.values():
        call()
    for _ in range(rounds):
        for name, call in variants.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def peak_product() -> tuple[Callable[[], object], float]:
    """This machine's fastest fp32 product, of a few shapes in both libraries, and the operations of a call of it."""
    fastest, choice = 0.0, None
    for rows, inner, columns in PEAK_SHAPES:
        x, weight = torch.randn(rows, inner), torch.randn(columns, inner)
        for product in (torch.nn.functional.linear, frozen_linear):
            seconds = interleaved({"product": partial(product, x, weight, None)}, rounds=15)["product"]
            flops = 2.0 * rows * inner * columns
            if flops / seconds > fastest:
                fastest, choice = flops / seconds, (product, x, weight, flops)
    assert choice is not None
    product, x, weight, flops = choice
    repeats = max(1, round(0.2 * fastest / flops))  # a fifth of a second, long enough to be timed

    def call() -> None:
        for _ in range(repeats):
            product(x, weight, None)

    return call, flops * repeats


def added_memory(make: Callable[..., Callable[[], object]], *arguments: object) -> float:
    """MiB that a call adds to a process at its highest, in a process of its own.

    The process prepares with ``make(*arguments)``, which returns the call; what is resident then is subtracted from the
    highest that the call reaches. On Linux the kernel's high-water mark is reset in between; elsewhere it is the
    process's highest since its start.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_added_memory, (make, arguments))


def _added_memory(make: Callable[..., Callable[[], object]], arguments: tuple[object, ...]) -> float:
    call = make(*arguments)
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        before = _highest()
        call()
        return _highest() - before
    reset.write_text("5")
    before = _proc_status("VmRSS")
    call()
    return _proc_status("VmHWM") - before


def resident_memory() -> float:
    """MiB of this process in memory now; elsewhere than on Linux the highest since its start."""
    return _proc_status("VmRSS") if Path("/proc/self/status").exists() else _highest()


def _proc_status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def _highest() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
