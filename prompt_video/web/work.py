"""Work that takes a while, one piece after another: its steps and its outcome, line by line as they come."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from prompt_video.inference.frames import Progress
from prompt_video.web.limits import Limits
from prompt_video.web.mistakes import Mistake, MistakesError

WAITING = 16  # people who may wait for an answer
UNFORESEEN = "something went wrong here; the terminal in which the page was started says more."
CROWDED = "too many people are waiting for an answer; try again in a moment."

Content = dict[str, Any]

log = logging.getLogger(__name__)


class Worker:
    """Does one thing at a time, since one computation fills the machine.

    Args:
        limits: of the work on one answer.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._pool = ThreadPoolExecutor(1)
        self._waiting = 0

    async def lines(self, work: Callable[[Progress], Content], times: float = 1.0) -> AsyncIterator[bytes]:
        """JSON of every step, ``{"done": seconds, "of": seconds}``, and last of the answer or of the mistakes.

        Args:
            work: is called with what it is to tell of its steps.
            times: as long as the work on one video it may take.
        """
        if self._waiting >= WAITING:
            yield _line({"mistakes": [Mistake("work", CROWDED)._asdict()]})
            return
        loop, told, stopped = asyncio.get_running_loop(), asyncio.Queue[Content | None](), Event()

        def tell(content: Content | None) -> None:
            loop.call_soon_threadsafe(told.put_nowait, content)

        def run() -> None:
            progress = self.limits.deadline(lambda done, of: tell({"done": done, "of": of}), stopped, times)
            try:
                if not stopped.is_set():
                    tell(_outcome(work, progress))
            finally:
                tell(None)

        self._waiting += 1
        try:
            self._pool.submit(run)
            while (content := await told.get()) is not None:
                yield _line(content)
        finally:
            self._waiting -= 1
            stopped.set()  # whoever asked may have gone


def _outcome(work: Callable[[Progress], Content], progress: Progress) -> Content:
    try:
        return {"answer": work(progress)}
    except MistakesError as error:
        return {"mistakes": [mistake._asdict() for mistake in error.mistakes]}
    except Exception:
        log.exception("an answer of the page failed")
        return {"mistakes": [Mistake("work", UNFORESEEN)._asdict()]}


def _line(content: Content) -> bytes:
    return json.dumps(content).encode() + b"\n"
