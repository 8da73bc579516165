"""``prompt-video serve``: a page in the browser, for one's own videos and words.

Drop a video, type class names or a sentence, and see the ranking, the similarity over time and the segments; with
--index, search a folder of videos and play what was found. The page can be reached from this machine only, unless
--host says otherwise, and asks no other server for anything.
"""

import logging
import os
import signal
import socket
import threading
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from data_modules.errors import InputError
from prompt_video.inference.options import add_model_options, model_of
from prompt_video.io import console
from prompt_video.io.verb_parser import VerbParser

if TYPE_CHECKING:
    from prompt_video.web.answers import Answers

LOCAL = ("127.0.0.1", "localhost", "::1")

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> None:
    """Serve the page until interrupted."""
    options = parser().parse(arguments[1:])
    console.configure()
    if options.max_size < 1 or not (0 < options.max_duration < inf and 0 < options.max_work < inf):
        raise InputError("--max_size, --max_duration and --max_work must be positive.")
    if find_spec("gradio") is None:  # told before the model is loaded, though only imported after that
        raise InputError("the page needs Gradio: pip install 'prompt-video[serve]'.")
    _try_address(options.host, options.port)

    from prompt_video.search.index import VideoIndex
    from prompt_video.web.answers import Answers
    from prompt_video.web.limits import Limits
    from prompt_video.web.sweeping import uploads_folder

    model = model_of(options)
    index = VideoIndex(options.index, options.backbone) if options.index else None
    with uploads_folder() as folder:
        # Before Gradio is imported, which then keeps all files there and asks nobody about newer versions.
        os.environ.update(GRADIO_TEMP_DIR=str(folder), GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
        limits = Limits(folder, options.max_size, options.max_duration, options.max_work)
        _serve(Answers(model, limits, index), options)


def _try_address(host: str, port: int | None) -> None:
    """Before anything is loaded: Gradio would try a hundred ports of an address that is none."""
    try:
        if not host:
            raise ValueError("there is no address")
        socket.create_server((host, port or 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except (OSError, OverflowError, ValueError) as error:
        reason = str((isinstance(error, OSError) and error.strerror) or error).partition(" (while")[0]
        place = host if port is None else f"{host}:{port}"
        raise InputError(f"the page cannot be served on {place}: {reason}; see --host and --port.") from error


def _serve(answers: "Answers", options: Namespace) -> None:
    import gradio as gr
    from starlette.middleware import Middleware

    from prompt_video.web.drawing import STYLE
    from prompt_video.web.gate import Gate, own_names
    from prompt_video.web.page import page

    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    blocks = page(answers)
    fonts = ["system-ui", "sans-serif"]
    names = own_names(options.host, options.known_as)
    gate = Middleware(Gate, names=names, uploads=answers.limits.uploads, max_bytes=answers.limits.max_bytes)
    try:
        _, url, _ = blocks.launch(
            server_name=options.host,
            server_port=options.port,
            max_file_size=f"{options.max_size}mb",
            share=False,
            prevent_thread_lock=True,
            quiet=True,
            show_error=False,  # of what went wrong unforeseen: it may name files of this machine
            app_kwargs={"middleware": [gate]},
            ssr_mode=False,
            footer_links=[],
            theme=gr.themes.Default(font=fonts, font_mono=["ui-monospace", "monospace"]),
            css_paths=STYLE,
        )
    except OSError as error:
        raise InputError(f"the page cannot be served on {options.host}: {error}") from error
    if options.host not in LOCAL:
        log.warning("anyone who reaches this machine as %s can use the page", options.host)
    print(f"page: {url} (Ctrl-C ends it)", flush=True)
    try:
        done.wait()
    finally:
        blocks.close(verbose=False)


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("serve", __doc__)
    add_model_options(parser)
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
