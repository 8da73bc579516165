"""The page and the routes that it asks, as a Starlette application."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path, PurePath
from typing import Any, TypeVar
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from data_modules.errors import InputError
from prompt_video.inference.frames import Progress
from prompt_video.inference.toy import toy_notice
from prompt_video.io.readable import readable
from prompt_video.io.templates import render
from prompt_video.localization.selection import MIN_SCORE, Selection
from prompt_video.reports.text_formatting import clock
from prompt_video.search.index import Answer, Hit
from prompt_video.web import files
from prompt_video.web.answers import ALL, Answers, ClipAnswer, Content, Kept, shown_hit
from prompt_video.web.gate import Gate
from prompt_video.web.mistakes import About, Mistake, MistakesError, telling
from prompt_video.web.teaching import MOST_CLIPS, Lessons, Taught
from prompt_video.web.work import UNFORESEEN, Worker

STATIC = Path(__file__).parent / "static"
MOST_BODY = 4_500_000  # bytes of a question: as many letters as `texts_of` takes, of any script
LESSON = 6.0  # as long as an answer on one video it may take
AT_A_TIME = 2  # pictures and copies that are made
FILL_AT_MOST = 50  # names that the page offers as words to ask for

T = TypeVar("T")


class Page:
    """The routes.

    Args:
        answers: the work behind them.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers, self.uploads = answers, answers.uploads
        self._worker, self._kept = Worker(answers.uploads.limits), Kept()
        self._few = CapacityLimiter(AT_A_TIME)
        self._lessons = Lessons(answers.uploads, answers.model.model.backbone.name)

    def app(self, names: set[str]) -> Starlette:
        """The application.

        Args:
            names: that this machine is reached by.
        """
        routes = [
            Route("/", self.page),
            Route("/videos", self.take, methods=["POST"]),
            Route("/videos/{word}/copy.mp4", self.copy),
            Route("/scores", self.score, methods=["POST"]),
            Route("/scores/{word}/{kind}", self.file),
            Route("/hits", self.search, methods=["POST"]),
            Route("/hits/{word}/{rank:int}.jpg", self.thumbnail),
            Route("/hits/{word}/{rank:int}.mp4", self.clip),
            Route("/lessons", self.teach, methods=["POST"]),
            Route("/lessons/{word}/labels.csv", self.labels),
            Route("/lessons/{word}/model.ckpt", self.taught),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        handlers: dict[Any, Any] = {MistakesError: _told, Exception: _unforeseen}
        gate = Middleware(Gate, names=names)
        return Starlette(routes=routes, middleware=[gate], exception_handlers=handlers, lifespan=self._sweeping)

    @asynccontextmanager
    async def _sweeping(self, _: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(self.uploads.keep_sweeping())
        yield
        task.cancel()

    async def page(self, _: Request) -> Response:
        """The page itself, in which nothing is asked yet."""
        limits, model, index = self.uploads.limits, self.answers.model, self.answers.index
        names = model.class_names[:FILL_AT_MOST]
        return HTMLResponse(
            render(
                "web/page.html.jinja",
                max_mb=limits.max_mb,
                max_time=clock(limits.max_sec),
                model=self.answers.describe(),
                notice=model.notice,
                names=names,
                names_left=len(model.class_names) - len(names),
                min_score=MIN_SCORE,
                most_clips=MOST_CLIPS,
                index=index,
                index_notice=toy_notice(index.model.backbone.name) if index else None,
            )
        )

    async def take(self, request: Request) -> Response:
        """Take a video, whose bytes are the body."""
        length = request.headers.get("content-length", "")
        if not length.isdecimal():
            return Response("The length of an upload must be told.", 411)
        name = PurePath(request.query_params.get("name", "")).name[-200:]
        word = await self.uploads.take(name, int(length), request.stream())
        return JSONResponse({"video": word, "duration_sec": self.uploads.get(word).duration_sec})

    async def copy(self, request: Request) -> Response:
        """A copy of a video that the browser could not play."""
        path = await self._made("video", lambda: self.uploads.playable(request.path_params["word"]))
        return FileResponse(path, media_type="video/mp4")

    async def score(self, request: Request) -> Response:
        """What is to be seen in a video, line by line, see `Worker.lines`."""
        question = await _question(request)

        def work(progress: Progress) -> Content:
            answer = self.answers.score(_text(question, "video"), _text(question, "texts"), progress)
            return {"id": self._kept.put(answer), **answer.content()}

        return StreamingResponse(self._worker.lines(work), media_type="application/x-ndjson")

    async def file(self, request: Request) -> Response:
        """An answer as a file to take along."""
        kind = request.path_params["kind"]
        asked = request.query_params
        with telling("work"):
            answer = self._kept.get(request.path_params["word"], ClipAnswer)
            selection = _selection(asked.get("min_score", ""), overlapping=asked.get("overlapping") == "true")
            content = files.file_of(answer, kind, selection)
        name = f"{PurePath(readable(answer.name)).stem or 'video'}.{kind}"
        response = Response(content, media_type=files.KINDS[kind])
        plain = "".join(sign if sign.isascii() and sign not in '"\\' else "_" for sign in name)
        response.headers["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
        return response

    async def search(self, request: Request) -> Response:
        """The moments of the index that fit a text best, line by line."""
        question = await _question(request)

        def work(_: Progress) -> Content:
            answer = self.answers.search(_text(question, "query"))
            shown = [shown_hit(hit) for hit in answer.hits]
            return {"id": self._kept.put(answer), "hits": shown, "truncated": answer.truncated}

        return StreamingResponse(self._worker.lines(work), media_type="application/x-ndjson")

    async def thumbnail(self, request: Request) -> Response:
        """A picture of a moment."""
        hit = self._hit(request)
        picture = await self._made("query", lambda: files.thumbnail(hit))
        return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    async def clip(self, request: Request) -> Response:
        """A moment as a clip."""
        hit, name = self._hit(request), "{word}-{rank}".format(**request.path_params)
        path = await self._made("query", lambda: self.uploads.clip(name, lambda path: files.write_clip(hit, path)))
        return FileResponse(path, media_type="video/mp4")

    async def teach(self, request: Request) -> Response:
        """Learn from clips and label others, line by line."""
        question = await _question(request)

        def work(progress: Progress) -> Content:
            taught = self._lessons.teach(question.get("examples"), question.get("rest"), progress)
            return {"id": self._kept.put(taught), **taught.content()}

        return StreamingResponse(self._worker.lines(work, LESSON), media_type="application/x-ndjson")

    async def labels(self, request: Request) -> Response:
        """The labels of a lesson, to take along."""
        with telling("work"):
            taught = self._kept.get(request.path_params["word"], Taught)
            content = files.written(taught.write_table)
        return Response(content, media_type="text/csv", headers={"Content-Disposition": "attachment"})

    async def taught(self, request: Request) -> Response:
        """The model of a lesson, to take along."""
        with telling("work"):
            taught = self._kept.get(request.path_params["word"], Taught)
            if not taught.checkpoint.is_file():
                raise InputError("this model is no longer here: teach again.")
        return FileResponse(taught.checkpoint, filename="taught.ckpt")

    def _hit(self, request: Request) -> Hit:
        with telling("query"):
            hits = self._kept.get(request.path_params["word"], Answer).hits
            rank = int(request.path_params["rank"])
            if not 0 < rank <= len(hits):
                raise InputError("there is no such moment.")
        return hits[rank - 1]

    async def _made(self, about: About, make: Callable[[], T]) -> T:
        """Made in a thread of its own, a few at a time."""
        with telling(about):
            return await to_thread.run_sync(make, limiter=self._few)


async def _question(request: Request) -> Content:
    """What the page asks, which is small and an object of JSON."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            raise HTTPException(413, "This request is too large.")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise HTTPException(400, "This request is no JSON object.")
    return content


def _text(question: Content, name: str) -> str:
    text = question.get(name) or ""
    if not isinstance(text, str):
        raise MistakesError(Mistake("work", f"'{name}' must be a text."))
    return text


def _selection(min_score: str, *, overlapping: bool) -> Selection:
    try:
        return Selection(float(min_score or MIN_SCORE), ALL, overlapping=overlapping)
    except ValueError as error:
        raise InputError(f"min_score must be in [0, 1], not {min_score[:20]}.") from error


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, MistakesError)
    return JSONResponse({"mistakes": [mistake._asdict() for mistake in error.mistakes]}, 400)


async def _unforeseen(_: Request, error: Exception) -> Response:
    """Of what went wrong unforeseen nothing is told: it may name files of this machine."""
    return JSONResponse({"mistakes": [Mistake("work", UNFORESEEN)._asdict()]}, 500)
