"""``prompt-video watch``: what a camera or a stream shows, second by second.

A source is a device (/dev/video0), an address (rtsp://..., http://...), or a file, which with --follow may still grow.
On a terminal each line is one second; elsewhere, and with --json, each is one JSON object: `label` is null where none
of the classes is shown, `lost` and `back_after_sec` tell of gaps, after which all begins anew; the first has a `notice`
where people must know something of all figures.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from data_modules.errors import InputError
from prompt_video.inference.options import add_class_options, add_model_options, add_none_options, model_and_texts
from prompt_video.io import console as logs
from prompt_video.io.readable import readable
from prompt_video.io.verb_parser import VerbParser
from prompt_video.model.none_of_these import NONE_OF_THESE


def main(arguments: list[str]) -> int:
    """Score the last seconds of a source until it ends."""
    options = parser().parse(arguments[1:])
    logs.configure()
    if options.top < 1:
        raise InputError(f"--top must be 1 or more, not {options.top}.")
    from data_modules.video.live import Back, LiveSource, Lost
    from prompt_video.inference.watching import Told, Watcher

    model, texts = model_and_texts(options)
    watcher = Watcher(model, texts, options.window, options.every)
    as_json = options.json or not sys.stdout.isatty()
    notice = {"notice": model.notice} if model.notice else {}
    if notice and not as_json:
        logs.Terminal(stderr=True).print(f"note: {model.notice}")

    def line(event: Told) -> dict[str, Any]:
        now = {"time": datetime.now(UTC).isoformat(timespec="milliseconds")} if source.is_live else {}
        if isinstance(event, Lost):
            return {**now, "lost": event.reason}
        if isinstance(event, Back):
            return {**now, "back_after_sec": round(event.gap_sec, 3)}
        scores, seconds = event.scores, {"start_sec": round(event.start_sec, 3), "end_sec": round(event.end_sec, 3)}
        best = [one._asdict() for one in scores.best(options.top)]
        skipped = {"skipped": source.skipped} if source.skipped else {}
        labels = {} if scores.threshold is None else {"labels": [one.text for one in scores.labels]}
        told = {"label": scores.label, **labels, "confidence": scores.confidence, "best": best}
        return {**now, **seconds, **told, **skipped}

    with LiveSource(options.source, watcher.rate, follow=options.follow, give_up_sec=options.give_up) as source:
        for event in watcher.watch(source):
            content, notice = {**line(event), **notice}, {}
            print(json.dumps(content, ensure_ascii=False) if as_json else _row(content), flush=True)
    return 0


def _row(content: Mapping[str, Any]) -> str:
    if "lost" in content:
        return f"-- lost: {readable(content['lost'])}; trying again"
    if "back_after_sec" in content:
        return f"-- back after {content['back_after_sec']:.1f} s"
    first, *others = content["best"]
    labels = content.get("labels", [content["label"]] if content["label"] is not None else [])
    label = ", ".join(map(readable, labels)) or NONE_OF_THESE
    shown = others if labels == [first["text"]] else content["best"]
    behind = ", ".join(f"{readable(one['text'])} {one['probability']:.0%}" for one in shown)
    return f"{content['end_sec']:8.1f} s  {label}  {content['confidence']:.0%}" + (f"  ({behind})" if behind else "")


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("watch", __doc__)
    parser.add_argument("source", type=str, metavar="SOURCE", help="a device, an address or a file")
    add_class_options(parser)
    add_model_options(parser)
    add_none_options(parser)
    parser.add_argument("--window", type=float, default=4.0, metavar="SEC", help="seconds that are scored together")
    parser.add_argument("--every", type=float, default=1.0, metavar="SEC", help="seconds from one score to the next")
    parser.add_argument("--follow", action="store_true", help="of a file: wait for more where it ends")
    parser.add_argument(
        "--give_up", type=float, default=300.0, metavar="SEC", help="how long a source that is lost is tried again"
    )
    parser.add_argument("--top", type=int, default=3, help="classes to show")
    parser.add_argument("--json", action="store_true", help="JSON lines on a terminal too")
    return parser
