"""How the benchmarks measure: ways of doing the same in turn, the device's matmul peak, memory that one call adds."""

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from prompt_video.backbones.frozen_linear import frozen_linear

P = ParamSpec("P")
T = TypeVar("T")
Products = tuple[Callable[..., object], ...]
CPU = torch.device("cpu")
CPU_SHAPES = ((2048, 2048, 2048), (1024, 512, 2048), (1024, 2048, 512))
GPU_SHAPES = ((8192, 8192, 8192), (16384, 4096, 4096), (32768, 512, 2048))
TOO_WIDE = 0.25  # lowest to highest round, as a share of the median
# A server that has imported the libraries forks processes at once; where there is none, each imports them again.
START_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
# No module of ours is among them: what has computed on several threads, be it on import, hangs in forked processes.
LIBRARIES = ("torch", "transformers", "lightning.pytorch", "torchmetrics", "av")


@dataclass(frozen=True)
class Spread:
    """A figure's value in every round; the median is what is quoted."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of all rounds."""
        return statistics.median(self.values)

    @property
    def is_too_wide(self) -> bool:
        """Whether the rounds are too far apart for the median to mean much."""
        return max(self.values) - min(self.values) > TOO_WIDE * self.median

    def __rmul__(self, factor: float | int) -> "Spread":
        return Spread(tuple(factor * value for value in self.values))

    def __truediv__(self, other: "Spread") -> "Spread":
        """The ratio in each round: what a slow spell of the machine does to both sides falls out of it."""
        return Spread(tuple(own / others for own, others in zip(self.values, other.values, strict=True)))


def interleaved(
    ways: Mapping[str, Callable[[], object]], rounds: int, device: torch.device = CPU, *, warm_up: bool = True
) -> dict[str, Spread]:
    """Seconds of each way. All run once in every round, so that they see the same state of the machine.

    Args:
        ways: of doing the same.
        rounds: that are timed.
        device: that computes; a GPU has finished before the clock is read.
        warm_up: with a round before that does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for call in ways.values() if warm_up else ():
        call()
    for _ in range(rounds):
        for name, call in ways.items():
            synchronize(device)
            start = time.perf_counter()
            call()
            synchronize(device)
            seconds[name].append(time.perf_counter() - start)
    return {name: Spread(tuple(values)) for name, values in seconds.items()}


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has done all that it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_product(
    device: torch.device = CPU, dtype: torch.dtype = torch.float32, shapes: Sequence[tuple[int, int, int]] | None = None
) -> tuple[Callable[[], object], float]:
    """The device's fastest product, of a few shapes in all libraries, and the operations of a call of it.

    Args:
        device: that computes.
        dtype: of both factors.
        shapes: rows, inner and columns that are tried.
    """
    is_cpu = device.type == "cpu"
    products: Products = (torch.nn.functional.linear, frozen_linear) if is_cpu else (torch.nn.functional.linear,)
    fastest, choice = 0.0, None
    for rows, inner, columns in shapes or (CPU_SHAPES if is_cpu else GPU_SHAPES):
        x = torch.randn(rows, inner, device=device, dtype=dtype)
        weight = torch.randn(columns, inner, device=device, dtype=dtype)
        for product in products:
            call = partial(product, x, weight, None)
            seconds = interleaved({"product": call}, 7, device)["product"].median
            flops = 2.0 * rows * inner * columns
            if flops / seconds > fastest:
                fastest, choice = flops / seconds, (call, flops)
    assert choice is not None
    call, flops = choice
    repeats = max(1, round(0.2 * fastest / flops))  # a fifth of a second, long enough to be timed

    def repeated() -> None:
        for _ in range(repeats):
            call()

    return repeated, flops * repeats


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def prepare_processes() -> None:
    """Import the libraries for all later processes, in the background."""
    if START_METHOD == "forkserver":
        multiprocessing.set_forkserver_preload(list(LIBRARIES))
        forkserver.ensure_running()


def in_new_process(call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """What a call gives in a process of its own, whose memory is free again afterwards.

    Raises:
        BrokenProcessPool: if the system ended the process, as it does when memory runs out.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(START_METHOD)) as pool:
        return pool.submit(call, *arguments, **options).result()


def added_memory(device: torch.device, make: Callable[..., Callable[[], object]], *arguments: object) -> float:
    """MiB that a call adds at its highest, in a process of its own.

    The process prepares with ``make(*arguments)``, which returns the call; what is taken then is subtracted from the
    highest that the call reaches: on a GPU what torch has allocated there, else what is resident. On Linux the kernel's
    high-water mark is reset in between; elsewhere it is the process's highest since its start.
    """
    return in_new_process(_added_memory, device, make, arguments)


def _added_memory(
    device: torch.device, make: Callable[..., Callable[[], object]], arguments: tuple[object, ...]
) -> float:
    call = make(*arguments)
    before = _reset_highest(device)
    call()
    return _highest(device) - before


def resident_memory() -> float:
    """MiB of this process in memory now; elsewhere than on Linux the highest since its start."""
    return _proc_status("VmRSS") if Path("/proc/self/status").exists() else _highest(CPU)


def _reset_highest(device: torch.device) -> float:
    """MiB that are taken now, and `_highest` starts from there."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 2**20
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")
    return resident_memory()


def _highest(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if Path("/proc/self/clear_refs").exists():
        return _proc_status("VmHWM")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _proc_status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))
