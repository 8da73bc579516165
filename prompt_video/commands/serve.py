"""``prompt-video serve``: a page in the browser, for one's own videos and words.

Choose a video, type class names or sentences, and see what fits it, and when: click a segment to see it, take
subtitles, a table or all figures along. With --index, search a folder of videos and play what was found. The page can
be reached from this machine only, unless --host says otherwise, and asks no other server for anything.
"""

import logging
import signal
import socket
import threading
from errno import EADDRINUSE
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from data_modules.errors import InputError
from prompt_video.inference.options import (
    add_model_options,
    add_none_options,
    calibrate_with,
    check_model_options,
    model_of,
)
from prompt_video.io import console
from prompt_video.io.verb_parser import VerbParser

if TYPE_CHECKING:
    from prompt_video.web.answers import Answers

LOCAL = ("127.0.0.1", "localhost", "::1")
FREE_PORTS = (7860, 7960)

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> None:
    """Serve the page until interrupted."""
    options = parser().parse(arguments[1:])
    console.configure()
    if options.max_size < 1 or not (0 < options.max_duration < inf and 0 < options.max_work < inf):
        raise InputError("--max_size, --max_duration and --max_work must be positive.")
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise InputError("the page needs Starlette and Uvicorn: pip install 'prompt-video[serve]'.")
    check_model_options(options)
    listening = _listen(options.host, options.port)

    from prompt_video.search.index import VideoIndex
    from prompt_video.web.answers import Answers
    from prompt_video.web.limits import Limits
    from prompt_video.web.sweeping import uploads_folder
    from prompt_video.web.uploads import Uploads

    with listening, uploads_folder() as folder:
        uploads = Uploads(folder, Limits(options.max_size, options.max_duration, options.max_work))
        index = VideoIndex(options.index, options.backbone) if options.index else None
        model = model_of(options)
        calibrate_with(options, model, model.class_names)
        _serve(Answers(model, uploads, index), listening, options)


def _listen(host: str, port: int | None) -> socket.socket:
    """Before anything is loaded: an address that is taken is told at once, and who asks early waits."""
    wanted = [port] if port is not None else range(*FREE_PORTS)
    try:
        if not host:
            raise ValueError("there is no address")
        for one in wanted:
            try:
                return socket.create_server((host, one), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
            except OSError as error:
                if error.errno != EADDRINUSE or one == wanted[-1]:
                    raise
        raise AssertionError("the last one has returned or raised")
    except (OSError, OverflowError, ValueError) as error:
        reason = str((isinstance(error, OSError) and error.strerror) or error).partition(" (while")[0]
        place = host if port is None else f"{host}:{port}"
        raise InputError(f"the page cannot be served on {place}: {reason}; see --host and --port.") from error


def _serve(answers: "Answers", listening: socket.socket, options: Namespace) -> None:
    """Until the process is interrupted or ended."""
    import uvicorn

    from prompt_video.web.app import Page
    from prompt_video.web.gate import own_names

    console.configure()  # once more, now that Lightning is loaded
    app = Page(answers).app(own_names(options.host, options.known_as))
    config = uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    thread = threading.Thread(target=server.run, args=([listening],))  # signals are this thread's
    thread.start()
    if options.host not in LOCAL:
        log.warning("anyone who reaches this machine as %s can use the page", options.host)
    print(f"page: {_url(listening)} (Ctrl-C ends it)", flush=True)
    try:
        done.wait()
    finally:
        server.should_exit = True
        thread.join()


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("serve", __doc__)
    add_model_options(parser)
    add_none_options(parser)
    parser.add_argument("--index", type=Path, metavar="DIR", help="folder of `prompt-video index`, to search in")
    parser.add_argument("--host", type=str, default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, help="(default: a free one from 7860 on)")
    parser.add_argument("--max_size", type=int, default=200, metavar="MB", help="of an upload")
    parser.add_argument("--max_duration", type=float, default=600.0, metavar="SECONDS", help="of a video")
    parser.add_argument("--max_work", type=float, default=300.0, metavar="SECONDS", help="of the work on one answer")
    parser.add_argument(
        "--known_as", type=str, action="append", default=[], metavar="NAME",
        help="another name that this machine is reached by, as of a proxy; requests under other names are refused",
    )  # fmt: skip
    return parser
