"""Work on answers: one thing at a time, told step by step, and only while somebody waits."""

import asyncio
import json
import time
from threading import Event

from prompt_video.inference.frames import Progress
from prompt_video.web.answers import Content
from prompt_video.web.limits import Limits
from prompt_video.web.work import Worker


async def lines_of(worker: Worker, number: int, order: list[int]) -> list[Content]:
    def work(progress: Progress) -> Content:
        for step in range(3):
            progress(float(step), 3.0)
            order.append(number)
        return {"number": number}

    return [json.loads(line) async for line in worker.lines(work)]


def test_one_thing_at_a_time_step_by_step() -> None:
    async def ask() -> None:
        worker, order = Worker(Limits()), list[int]()
        answers = await asyncio.gather(*(lines_of(worker, number, order) for number in range(4)))
        for number, lines in enumerate(answers):
            assert lines == [*({"done": step, "of": 3} for step in range(3)), {"answer": {"number": number}}]
        assert order == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3

    asyncio.run(ask())


def test_what_nobody_waits_for_is_stopped_and_what_waits_behind_it_is_not_begun() -> None:
    done: list[str] = []

    def endless(progress: Progress) -> Content:
        try:
            while True:
                progress(0.0, 1.0)
                time.sleep(0.001)
        finally:
            done.append("stopped")

    async def ask() -> None:
        worker, begun = Worker(Limits(max_work_sec=60.0)), Event()
        first = worker.lines(endless)
        await anext(first)

        def begin(_: Progress) -> Content:
            begun.set()
            return {}

        async def wait_behind() -> None:
            async for _ in worker.lines(begin):
                pass

        second = asyncio.create_task(wait_behind())
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        await first.aclose()  # type: ignore[attr-defined]
        assert await lines_of(worker, 7, []) != []
        assert done == ["stopped"]
        assert not begun.is_set()

    asyncio.run(ask())
