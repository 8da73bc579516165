"""``prompt-video search``: the moments of indexed videos that fit a text best.

INDEX is a folder that ``prompt-video index`` has filled. Every span of every video is compared with the text, and of
overlapping spans of one video the best is shown.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group

from prompt_video.inference.toy import toy_notice
from prompt_video.io import console as logs
from prompt_video.io.outputs import check_file, save, write_json
from prompt_video.io.tables import new_table, titled
from prompt_video.io.verb_parser import VerbParser
from prompt_video.reports.text_formatting import path_text, span_text

if TYPE_CHECKING:
    from prompt_video.search.index import Answer, VideoIndex


def main(arguments: list[str]) -> int:
    """Answer one query or several.

    Returns:
        The exit code: 1 when the file of hits is not where it should be.
    """
    options = parser().parse(arguments[1:])
    logs.configure()
    check_file(options.json, "--json")

    from prompt_video.search.index import VideoIndex

    index = VideoIndex(options.index, options.backbone)
    answers = index.search(options.query, options.top, all_spans=options.all_spans)
    console = logs.Terminal()
    for answer in answers:
        if answer.truncated:
            console.print(f"note: '{answer.query[:60]}...' is too long for the model: only its beginning counts.")
        console.print(_table(answer))
    console.print(
        f"{index.num_spans:,} spans of {index.num_videos:,} videos below {index.manifest.folder}, all of them compared"
    )
    notice = toy_notice(index.model.backbone.name)
    if notice:
        console.print(f"note: {notice}")
    is_saved = save(options.json, lambda path: write_json(path, _report(index, answers, notice)), "all figures:")
    return 0 if is_saved else 1


def _table(answer: "Answer") -> Group:
    table = new_table()
    table.add_column("rank", justify="right")
    table.add_column("file", overflow="fold")
    table.add_column("span", justify="right", no_wrap=True)
    table.add_column("score", justify="right")
    for rank, hit in enumerate(answer.hits, start=1):
        span = span_text(hit.start_sec, hit.end_sec)
        table.add_row(str(rank), path_text(hit.video_id), span, f"{hit.score:.3f}")
    return titled(answer.query, table)


def _report(index: "VideoIndex", answers: Sequence["Answer"], notice: str | None) -> dict[str, Any]:
    queries: list[dict[str, Any]] = []
    for answer in answers:
        hits = [{"rank": rank, **asdict(hit), "path": str(hit.path)} for rank, hit in enumerate(answer.hits, start=1)]
        queries.append({**asdict(answer), "hits": hits})
    about = {"notice": notice} if notice else {}
    return {"index": str(index.root), **about, "videos": index.num_videos, "spans": index.num_spans, "queries": queries}


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("search", __doc__)
    parser.add_argument("index", type=Path, metavar="INDEX", help="folder of the index")
    parser.add_argument("query", nargs="+", type=str, metavar="QUERY", help="what to look for, in words; in quotes")
    parser.add_argument("--top", type=int, default=10, help="hits for each query")
    parser.add_argument("--all_spans", action="store_true", help="also spans that overlap with a better one")
    parser.add_argument("--backbone", type=str, help="where the index's frozen model is now: hub id or local folder")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file to write all hits to")
    return parser
