"""What reaches the page's server at all: requests of people who have the page open, of a bounded size."""

import ipaddress
import json
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY = 1_000_000  # bytes of a request that is no upload
# Doors of Gradio's that the page does not use, and a file that is the address of another server.
_CLOSED = re.compile(
    r"^/(gradio_api/)?(proxy=|component_server|process_recording|(undo-)?vibe-edit|run-history|runs|dev/|deep_link"
    r"|stream/|custom_component|monitoring|file[=/]\s*[\w+.-]*:?//)"
)
_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]+:|\s*//|\s*\\\\", re.IGNORECASE)


class RefusedError(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP.
        reason: in words, without anything of this machine.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Gate:
    """Stands in front of the server.

    A page on another site may send requests here through a visitor's browser, under its own name (the origin) or, when
    that name was made to lead here, under both names: so only this machine's own names are answered.

    Args:
        app: the server.
        names: that this machine is reached by, besides its numeric addresses.
        uploads: the folder for uploads.
        max_bytes: of all uploads together.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], uploads: Path, max_bytes: int) -> None:
        self.app, self.uploads, self.max_bytes = app, uploads, max_bytes
        self.names = {name.lower() for name in names}
        self.arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        try:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            self._check_names(headers)
            path = unquote(scope["path"])
            if scope["type"] == "websocket" or _CLOSED.search(path):
                raise RefusedError(404, "Not found")
            if path.startswith("/gradio_api/upload") and scope["method"] == "POST":
                await self._take_upload(headers, scope, receive, send)
                return
            if scope["method"] == "POST":
                receive = await _checked_body(receive)
            await self.app(scope, receive, send)
        except RefusedError as error:
            await PlainTextResponse(str(error), error.status)(scope, receive, send)

    def _check_names(self, headers: dict[str, str]) -> None:
        host = headers.get("host", "")
        if not self._is_own(urlsplit(f"//{host}").hostname or ""):
            raise RefusedError(421, "This page is not served under that name (--known_as adds one).")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            raise RefusedError(403, "Requests of other sites are not answered.")

    def _is_own(self, name: str) -> bool:
        try:
            ipaddress.ip_address(name)  # no other name was made to lead here
        except ValueError:
            return name.lower() in self.names
        return True

    async def _take_upload(self, headers: dict[str, str], scope: Scope, receive: Receive, send: Send) -> None:
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise RefusedError(411, "The length of an upload must be told.")
        there = sum(path.stat().st_size for path in self.uploads.rglob("*") if path.is_file())
        if there + self.arriving + int(length) > self.max_bytes:
            raise RefusedError(413, "All uploads together exceed what this page keeps; try again later.")
        self.arriving += int(length)
        try:
            await self.app(scope, receive, send)
        finally:
            self.arriving -= int(length)


def own_names(host: str, others: Iterable[str] = ()) -> set[str]:
    """Names under which a server on this machine may be asked for.

    Args:
        host: that it listens on.
        others: that someone knows it by.
    """
    return {"localhost", host, socket.gethostname(), socket.getfqdn(), *others}


async def _checked_body(receive: Receive) -> Receive:
    """Read a body whole, see that it names no addresses, and hand it on."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST_BODY:
            raise RefusedError(413, "This request is too large.")
    try:
        content = json.loads(body) if body.strip() else None
    except (ValueError, RecursionError):
        raise RefusedError(400, "This request is no JSON.") from None
    if _names_address(content):
        raise RefusedError(400, "Only files that were uploaded here are read, no addresses.")
    is_first = True

    async def again() -> Message:
        nonlocal is_first
        if is_first:
            is_first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


def _names_address(content: Any) -> bool:  # noqa: ANN401 - what JSON holds
    """Whether a file anywhere in it lies on another machine."""
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            path = one.get("path")
            if path is not None and (not isinstance(path, str) or _ADDRESS.match(path)):
                return True
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return False
