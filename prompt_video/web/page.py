"""The page itself, made with Gradio."""

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr

from data_modules.errors import BrokenVideoError, InputError
from prompt_video.io.readable import escaped, readable
from prompt_video.io.templates import render
from prompt_video.reports.text_formatting import clock
from prompt_video.web.answers import Answers, TitledHit

SWEEP_SEC, KEEP_SEC = 60, 3600  # how often old uploads are looked for, and how long they stay
WAITING = 16  # people who may wait for an answer
EXAMPLE = "a red square moving left\na blue star growing\na green heart spinning"

P = ParamSpec("P")
R = TypeVar("R")


def page(answers: Answers) -> Any:  # noqa: ANN401 - Gradio has no types
    """The page, not yet served.

    Args:
        answers: the work behind it.
    """
    limits = answers.limits
    with gr.Blocks(title="prompt-video", analytics_enabled=False, delete_cache=(SWEEP_SEC, KEEP_SEC)) as blocks:
        gr.HTML(render("web/heading.html.jinja", model=_described(answers)))
        with gr.Tab("One video"), gr.Row():
            with gr.Column():
                video = gr.Video(label="video", sources=["upload"], include_audio=True, elem_id="video")
                curve = gr.HTML()
                gr.Markdown(
                    f"Up to {limits.max_mb} MB and {clock(limits.max_sec)}. A file that your browser does not play is "
                    "scored all the same. Uploads are removed after an hour, and when the page is closed down."
                )
            with gr.Column():
                texts = gr.Textbox(
                    label="class names with commas between, or one a line; or a sentence",
                    lines=4,
                    placeholder=EXAMPLE,
                    elem_id="texts",
                )
                with gr.Row():
                    score = gr.Button("Score", variant="primary", elem_id="score")
                    find = gr.Button("Find segments", elem_id="find")
                ranking = gr.HTML()
                segments = gr.HTML()
        score.click(_telling_mistakes(answers.score), [video, texts], [ranking, curve], api_name="score")
        find.click(_telling_mistakes(answers.segments), [video, texts], segments, api_name="segments")
        video.change(lambda: ("", "", ""), None, [ranking, curve, segments], api_visibility="private")
        with gr.Tab("Search"):
            _search(answers)
    blocks.queue(max_size=WAITING, default_concurrency_limit=1)
    return blocks


def _search(answers: Answers) -> None:
    if answers.index is None:
        gr.Markdown(
            "There is no index yet. Make one of a folder of videos, then start the page with it:\n\n"
            "```\nprompt-video index path/to/videos --ckpt X.ckpt --out my-index\n"
            "prompt-video serve --index my-index\n```"
        )
        return
    index = answers.index
    gr.Markdown(
        f"Moments: {index.num_spans:,}, of {index.num_videos:,} videos. They are compared by the index's own model."
    )
    hits: gr.State = gr.State([])
    with gr.Row():
        query = gr.Textbox(label="what to look for", elem_id="query", scale=4)
        button = gr.Button("Search", variant="primary", elem_id="search")
    with gr.Row():
        choice = gr.Radio([], label="moments, best first; choose one to play it", elem_id="hits")
        player = gr.Video(label="from its beginning", autoplay=True, interactive=False, elem_id="player")

    def search(typed: str) -> tuple[list[TitledHit], Any]:
        titled_hits = answers.search(typed)
        titles = [one.title for one in titled_hits]
        return titled_hits, gr.Radio(titles, value=titles[0] if titles else None)

    def play(titled_hits: list[TitledHit], title: str | None) -> str | None:
        return answers.clip(titled_hits, title) if title else None

    listed = button.click(_telling_mistakes(search), query, [hits, choice], api_name="search")
    listed.then(_telling_mistakes(play), [hits, choice], player, api_visibility="private")
    query.submit(_telling_mistakes(search), query, [hits, choice], api_visibility="private").then(
        _telling_mistakes(play), [hits, choice], player, api_visibility="private"
    )
    choice.input(_telling_mistakes(play), [hits, choice], player, api_visibility="private")


def _described(answers: Answers) -> str:
    """The model in words, without the folder on this machine that its CLIP may be named by."""
    model = answers.model
    name = model.model.backbone.name
    return f"Model: {readable(model.describe().replace(name, Path(name).name))}"


def _telling_mistakes(function: Callable[P, R]) -> Callable[P, R]:
    """The same, with what a person can mend shown as a message on the page."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BrokenVideoError as error:
            raise gr.Error(
                f"The video cannot be used: {_without_folders(error.reason)}", print_exception=False
            ) from error
        except InputError as error:
            message = _without_folders(str(error))
            raise gr.Error(message[:1].upper() + message[1:], print_exception=False) from error

    return wrapped


def _without_folders(message: str) -> str:
    """As it may be seen: a message is HTML to Gradio, and where a file lies on this machine is nobody's business."""
    return escaped(re.sub(r"(?<![\w.])/(?:[^\s/]+/)+", "", readable(message)))
