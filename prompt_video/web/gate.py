"""What reaches the page's server at all: requests of people who have the page open."""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Nothing but what this server serves is loaded, run or sent to, and no other page shows this one.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


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
    """

    def __init__(self, app: ASGIApp, names: Iterable[str]) -> None:
        self.app = app
        self.names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say why not."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        try:
            if scope["type"] != "http":
                raise RefusedError(404, "Not found")
            self._check_names({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})
        except RefusedError as error:
            await PlainTextResponse(str(error), error.status)(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, guarded)

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


def own_names(host: str, others: Iterable[str] = ()) -> set[str]:
    """Names under which a server on this machine may be asked for.

    Args:
        host: that it listens on.
        others: that someone knows it by.
    """
    return {"localhost", host, socket.gethostname(), socket.getfqdn(), *others}
