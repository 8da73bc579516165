"""Measures one after the other, and says what is measured, and for how long still."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import torch
from rich.console import Console

from prompt_video.bench.measure import CPU, in_new_process
from prompt_video.bench.memory import free_memory
from prompt_video.bench.plan import Figures, Measurement, Setting, Size, choose, recorded
from prompt_video.io.progress import Steps

TRUST_SECONDS = 30.0  # of measurements that it takes until the machine's own pace counts as much as the known one
ENDED = "the memory ran out while {} was measured: left out"


@dataclass
class Pace:
    """How long all takes: what is known of each measurement, corrected by how long those took that are over.

    Args:
        known: seconds of those that are over, as they were known before.
        taken: seconds that they took here.
    """

    known: float = TRUST_SECONDS
    taken: float = TRUST_SECONDS

    def add(self, known: int, taken: float) -> None:
        """One is over."""
        self.known, self.taken = self.known + known, self.taken + taken

    def seconds(self, known: int) -> float:
        """What to expect here."""
        return known * self.taken / self.known


def duration(seconds: float) -> str:
    """About how long, for people."""
    return f"about {5 * max(1, round(seconds / 5))} s" if seconds < 90 else f"about {round(seconds / 60)} min"


class Runner:
    """Runs measurements.

    Args:
        setting: where.
        quick: at their small sizes.
        console: to which it says what it does; a bar is drawn on terminals only.
        free: MiB of memory of a device that are free now.
    """

    def __init__(
        self, setting: Setting, quick: bool, console: Console, free: Callable[[torch.device], float] = free_memory
    ) -> None:
        self.setting, self.quick, self.console, self.free = setting, quick, console, free
        self.pace = Pace()
        self.start = time.perf_counter()

    def run(self, parts: Mapping[str, Sequence[Measurement]]) -> Iterable[tuple[str, Figures]]:
        """Each part's figures, when it is over; its ``notes`` say what is to be known of them."""
        meant = {part: [one for one in all_ if self._sizes(one)] for part, all_ in parts.items()}
        later = [measurement for measurements in meant.values() for measurement in measurements]
        bar = Steps("measuring", 100, "%", show=self.console.is_terminal, redraws_a_sec=1.0, console=self.console)
        with bar:
            for part, measurements in meant.items():
                figures: Figures = {"device": self.setting.device.type, "quick": self.quick}
                notes: list[str] = []
                for measurement in measurements:
                    later = later[1:]
                    found, said = self._measure(part, measurement, later, bar)
                    figures |= found
                    notes += said
                yield part, figures | {"notes": notes}

    def _measure(
        self, part: str, measurement: Measurement, later: Sequence[Measurement], bar: Steps
    ) -> tuple[Figures, list[str]]:
        size, lack = self._choice(measurement)
        if size is None:
            return {}, [lack] if lack else []
        known = sum(found.seconds for found, _ in map(self._choice, later) if found)
        expected, left = self.pace.seconds(size.seconds), self.pace.seconds(known)
        name = f"{part.replace('_', ' ')}, {size.label}"
        line = f"{name}: {duration(expected)}; {duration(expected + left)} left in all"
        self.console.print(line, highlight=False, soft_wrap=True)
        start = time.perf_counter()
        before = start - self.start
        try:
            with bar.meanwhile(
                100 * (before + expected) / (before + expected + left), expected, part.replace("_", " ")
            ):
                figures, notes = recorded(self._figures(measurement, size))
        except (BrokenProcessPool, torch.OutOfMemoryError):
            figures, notes = {}, [ENDED.format(size.label)]
        self.pace.add(size.seconds, time.perf_counter() - start)
        return figures, [lack, *notes] if lack else notes

    def _figures(self, measurement: Measurement, size: Size) -> Figures:
        run, setting = measurement.run, self.setting
        if measurement.apart:
            return in_new_process(run, setting, **size.options)
        return run(setting, **size.options)

    def _choice(self, measurement: Measurement) -> tuple[Size | None, str | None]:
        device = CPU if measurement.on == "host" else self.setting.device
        return choose(self._sizes(measurement), self.free(device))

    def _sizes(self, measurement: Measurement) -> list[Size]:
        return measurement.candidates(self.setting.device, self.quick)
