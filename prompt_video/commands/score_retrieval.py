"""``prompt-video score-retrieval``: recall and ranks of scores of captions with videos, in both directions.

Each caption looks for its video among all videos; each video that has captions looks for the first of them among all
captions. Where several answers are right, the one that stands first counts. Equal scores stand in random order, of
which every figure is the mean (the median is that of the mean ranks).

Dual softmax and QB-Norm change the scores in the light of other queries; they stand beneath, apart, as a search engine
that answers one query at a time could not do the former, and needs training data for the latter.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jsonargparse import Namespace
from rich.table import Table

from data_modules.errors import InputError
from prompt_video.io.console import Terminal
from prompt_video.io.outputs import check_file, save, write_json
from prompt_video.io.tables import new_table
from prompt_video.io.verb_parser import VerbParser
from prompt_video.metrics.retrieval.also_right import also_right_pairs
from prompt_video.metrics.retrieval.caption_videos import video_indices
from prompt_video.metrics.retrieval.paired import PairedScores
from prompt_video.metrics.retrieval.query_bank import BETA, QBNorm
from prompt_video.metrics.retrieval.ranks import RECALLS, Ranks, named_figures, ranks
from prompt_video.metrics.retrieval.rescoring import PLAIN, Direction, DualSoftmax, Rescoring
from prompt_video.metrics.retrieval.score_matrices import read_bank, read_matrix
from prompt_video.metrics.retrieval.scores import MatrixScores, NotFiniteError

MOST_BETA = 1e9
SHOWN: dict[Direction, str] = {"t2v": "text to video", "v2t": "video to text"}


def main(arguments: list[str]) -> int:
    """Score one matrix.

    Returns:
        The exit code: 1 when the file of figures is not where it should be.
    """
    options = parser().parse(arguments[1:])
    check_file(options.json, "--json")
    _check(options)
    matrix = read_matrix(options.scores)
    video_index = video_indices(options.video_of_caption, matrix.shape, options.scores)
    also_right = also_right_pairs(options.also_right, matrix.shape) if options.also_right else None
    text_bank, video_bank = (
        path and MatrixScores(read_bank(path, count, what), str(path))
        for path, count, what in (
            (options.caption_bank, matrix.shape[1], "videos"),
            (options.video_bank, matrix.shape[0], "captions"),
        )
    )
    results: dict[Rescoring, dict[Direction, Ranks]] = {}
    try:
        scores = PairedScores(MatrixScores(matrix, str(options.scores)), video_index, also_right)
        rescorings = [PLAIN]
        if options.temperature is not None:
            rescorings.append(_dual_softmax(scores, options.temperature))
        if text_bank or video_bank:
            rescorings.append(QBNorm(scores, text_bank, video_bank, options.beta))
        for rescoring in rescorings:
            results[rescoring] = ranks(scores, rescoring)
    except NotFiniteError as error:
        raise InputError(str(error)) from error
    report = {
        "scores": str(options.scores),
        "video_of_caption": options.video_of_caption and str(options.video_of_caption),
        "also_right": options.also_right and str(options.also_right),
        "temperature": options.temperature,
        "caption_bank": options.caption_bank and str(options.caption_bank),
        "video_bank": options.video_bank and str(options.video_bank),
        "beta": options.beta if text_bank or video_bank else None,
        "counts": _counts(scores, results[PLAIN]),
        "figures": named_figures(results[PLAIN]),
        "rescored_figures": {
            name: value
            for rescoring, own in results.items()
            for name, value in named_figures(own, rescoring).items()
            if rescoring is not PLAIN
        },
    }
    _print(results, _counts(scores, results[PLAIN]), options)
    return 0 if save(options.json, lambda path: write_json(path, report), "all figures:") else 1


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("score-retrieval", __doc__)
    parser.add_argument("scores", type=Path, metavar="SIM.npy", help="a row for each caption, a column for each video")
    parser.add_argument(
        "--video_of_caption",
        type=Path,
        metavar="FILE",
        help="the column, from 0, of each caption's video: one in a line, a JSON list or an .npy file. Without it the "
        "caption of row i belongs to the video of column i",
    )
    parser.add_argument(
        "--also_right",
        type=Path,
        metavar="PAIRS.csv",
        help="more right answers, header caption,video: a row and a column that belong together, too; the one that "
        "stands first counts",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="file to write all figures to")
    parser.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="adds dual softmax, with scores divided by this: 1 for logits, around 0.01 for cosines",
    )
    parser.add_argument(
        "--caption_bank",
        type=Path,
        metavar="BANK.npy",
        help="adds QB-Norm of text to video: a row for each training caption, a column for each video of the test",
    )
    parser.add_argument(
        "--video_bank",
        type=Path,
        metavar="BANK.npy",
        help="adds QB-Norm of video to text: a row for each training video, a column for each caption of the test",
    )
    parser.add_argument(
        "--beta", type=float, default=BETA, help=f"inverse temperature of QB-Norm (default: {BETA:g}, for cosines)"
    )
    return parser


def _check(options: Namespace) -> None:
    for name, value in (("--temperature", options.temperature), ("--beta", options.beta)):
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"{name} {value:g} must be a number greater than 0.")
    if options.beta > MOST_BETA:
        raise InputError(f"--beta {options.beta:g} is far too large for any scores; {BETA:g} is for cosines.")


def _dual_softmax(scores: PairedScores, temperature: float) -> DualSoftmax:
    try:
        return DualSoftmax(scores, temperature)
    except NotFiniteError:
        raise
    except ValueError as error:
        raise InputError(f"--temperature: {error}") from error


def _counts(scores: PairedScores, plain: Mapping[Direction, Ranks]) -> dict[str, int]:
    with_captions = len(plain["v2t"].better)
    return {
        "captions": scores.num_texts,
        "videos": scores.num_videos,
        "videos_without_captions": scores.num_videos - with_captions,
        "t2v_queries_with_ties": plain["t2v"].num_tied,
        "v2t_queries_with_ties": plain["v2t"].num_tied,
    }


def _print(
    results: Mapping[Rescoring, Mapping[Direction, Ranks]], counts: Mapping[str, int], options: Namespace
) -> None:
    console = Terminal()
    console.print(f"{options.scores}: {counts['captions']:,} captions, {counts['videos']:,} videos")
    if without := counts["videos_without_captions"]:
        console.print(f"note: {without:,} videos have no caption; they are found by captions, but look for none.")
    texts, videos = counts["t2v_queries_with_ties"], counts["v2t_queries_with_ties"]
    if texts or videos:
        console.print(
            f"note: {texts:,} captions and {videos:,} videos score a wrong answer just like the right one; the figures "
            "are means over all orders of equal scores."
        )
    console.print(_table(results))
    names = {rescoring.name for rescoring in results}
    if DualSoftmax.name in names:
        console.print("dual softmax: re-scored with all queries of the test at once (transductive).")
    if QBNorm.name in names:
        console.print("QB-Norm: re-scored with banks of training queries.")


def _table(results: Mapping[Rescoring, Mapping[Direction, Ranks]]) -> Table:
    table = new_table()
    table.add_column("", no_wrap=True)
    for name in (*(f"R@{k}" for k in RECALLS), "median\nrank", "mean\nrank"):
        table.add_column(name, justify="right")
    readable = {"dual_softmax": ", dual softmax", "qb_norm": ", QB-Norm"}
    for rescoring, own in results.items():
        for direction, of_direction in own.items():
            figures = of_direction.figures()
            cells = [f"{100 * figures[f'r@{k}']:.2f}" for k in RECALLS]
            cells += [f"{figures['median_rank']:.1f}", f"{figures['mean_rank']:.2f}"]
            table.add_row(
                SHOWN[direction] + readable.get(rescoring.name, ""), *cells, style="bold" if rescoring is PLAIN else ""
            )
    return table
