"""How far a piece of work is: a bar on a terminal, elsewhere a line now and then, so that a log file shows life."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from threading import Event, Thread
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

from prompt_video.io.console import Terminal
from prompt_video.io.readable import readable

TENTHS = 10
PERCENT = "%"
PATIENCE_SEC = 60.0  # after which a line is written in any case
SOON_SEC = 5.0
TICK_SEC = 1.0
ALMOST = 0.95  # of what takes longer than was expected
BAR, LEFT = 14, len("99 min left")  # columns, of the 80 of a terminal


class Steps:
    """A bar that fits 80 columns, counts, has a total and tells the time left; without a terminal a line a tenth.

    Args:
        what: is done, in a word or two.
        total: how much there is to do; None: nobody knows.
        noun: of what is counted; ``%`` of a hundred, where it is parts that take unlike times.
        start: how much was done before.
        stdout: write there, where other lines of the work go; else to stderr, beside results.
        every_sec: lines come no closer than this.
        show: False says nothing.
        redraws_a_sec: of the bar; fewer where every hundredth of the processor's time counts.
        console: to say it on, in the place of one of its own.
    """

    def __init__(
        self,
        what: str,
        total: int | float | None,
        noun: str,
        *,
        start: int | float = 0,
        stdout: bool = False,
        every_sec: float = 0.0,
        show: bool = True,
        redraws_a_sec: float = 10.0,
        console: Console | None = None,
    ) -> None:
        self.what, self.total, self.noun, self.start, self.done = what, total, noun, start, start
        self.console = console or Terminal(stderr=not stdout)
        self._show, self._every_sec = show, every_sec
        self._began = self._said = time.monotonic()
        self._progress: Progress | None = None
        if show and self.console.is_terminal and not self.console.is_dumb_terminal:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
                BarColumn(BAR),
                _Count(Column(no_wrap=True), noun == PERCENT),
                _Left(Column(no_wrap=True)),
                TextColumn(
                    "{task.fields[beside]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")
                ),
                console=self.console,
                transient=True,
                refresh_per_second=redraws_a_sec,
                redirect_stdout=sys.stdout.isatty(),
                redirect_stderr=sys.stderr.isatty(),
            )
            self._task = self._progress.add_task(readable(what), total=total, completed=int(start), beside="")

    def __enter__(self) -> "Steps":
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    @property
    def has_bar(self) -> bool:
        """Whether a bar is drawn; elsewhere lines tell."""
        return self._progress is not None

    def print(self, *shown: RenderableType) -> None:
        """Results, on standard output, above the bar if it is drawn on the same terminal."""
        is_same = self._progress is not None and sys.stdout.isatty()
        console = self.console if is_same else Terminal()
        for one in chain.from_iterable(part.renderables if isinstance(part, Group) else (part,) for part in shown):
            console.print(one, soft_wrap=not isinstance(one, Table))  # long paths stay whole, cells are folded

    def advance(self, number: int | float = 1, beside: str = "") -> None:
        """So much more is done."""
        self.to(self.done + number, beside)

    def to(self, done: int | float, beside: str = "", what: str | None = None) -> None:
        """So much is done.

        Args:
            done: of all.
            beside: figures that are told too.
            what: is being done now.
        """
        before, self.done, self.what = self.done, done, what or self.what
        if self._progress is not None:
            what = readable(self.what)
            self._progress.update(self._task, completed=done, description=what, beside=self._fitting(beside, what))
        elif self._show and self._is_due(before):
            self.say(beside)

    @contextmanager
    def meanwhile(self, done: int | float, seconds: float, what: str | None = None) -> Iterator[None]:
        """Move the bar by the clock, while something is done that cannot be asked how far it is.

        Args:
            done: that is reached once it is over.
            seconds: that it will take, as far as is known; what takes longer stops just before its end.
            what: is being done.
        """
        before, began, is_over = self.done, time.monotonic(), Event()

        def move() -> None:
            while not is_over.wait(TICK_SEC):
                share = min((time.monotonic() - began) / max(seconds, 1e-9), ALMOST)
                self.to(before + share * (done - before))

        self.to(before, what=what)
        mover = Thread(target=move, daemon=True)
        if self._progress is not None:
            mover.start()
        try:
            yield
        finally:
            is_over.set()
            if self._progress is not None:
                mover.join()
        self.to(done)

    def say(self, beside: str = "") -> None:
        """A line, where there is no bar."""
        if self._progress is None and self._show:
            self._said = time.monotonic()
            told = "; ".join(part for part in (self._told(), beside) if part)
            self.console.print(f"{self.what}: {told}")

    def left(self) -> str:
        """The time left in words; empty where it is not known, or nothing is left."""
        done = self.done - self.start
        if not self.total or done <= 0 or self.done >= self.total:
            return ""
        return f"{duration((time.monotonic() - self._began) / done * (self.total - self.done))} left"

    def _fitting(self, beside: str, what: str) -> str:
        """Figures cut to the room that the bar leaves: rich would cut the count, too."""
        count = 2 * len(f"{self.total or self.done:,.0f}") + 1
        room = self.console.width - sum((len(what), BAR, count, LEFT, 5))
        return readable(beside) if len(beside) <= room else f"{readable(beside)[: max(room - 1, 0)].rstrip()}…"

    def _told(self) -> str:
        of = f" of {self.total:,.0f}" if self.total and self.noun != PERCENT else ""
        return ", ".join(part for part in (f"{int(self.done):,}{of} {self.noun}", self.left()) if part)

    def _is_due(self, before: int | float) -> bool:
        waited = time.monotonic() - self._said
        if waited >= PATIENCE_SEC:
            return True
        # What is one thing alone, or soon done, needs no lines.
        if not self.total or waited < (SOON_SEC if self.total <= 1 else self._every_sec):
            return False
        return int(self.done * TENTHS / self.total) > int(before * TENTHS / self.total)


def duration(seconds: int | float) -> str:
    """``12 s``, ``3 min``, ``2 h 05 min``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


class _Count(ProgressColumn):
    """``12/400``, or ``12 %``."""

    def __init__(self, column: Column, is_percent: bool) -> None:
        super().__init__(table_column=column)
        self._is_percent = is_percent

    def render(self, task: Task) -> Text:
        """One row's."""
        if self._is_percent:
            return Text(f"{int(task.completed)} %")
        of = f"/{task.total:,.0f}" if task.total else ""
        return Text(f"{int(task.completed):,}{of}")


class _Left(ProgressColumn):
    """``0:12 left``."""

    max_refresh = 0.5

    def __init__(self, column: Column) -> None:
        super().__init__(table_column=column)

    def render(self, task: Task) -> Text:
        """One row's."""
        left = task.time_remaining
        return Text(f"{duration(left)} left" if left else "", style="dim")
