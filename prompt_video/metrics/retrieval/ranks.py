"""At which rank the right answer stands, averaged over all orders of equal scores."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from prompt_video.metrics.retrieval.paired import Cells, PairedScores
from prompt_video.metrics.retrieval.rescoring import PLAIN, Direction, Rescoring

RECALLS = (1, 5, 10)

_ROWS_AT_A_TIME = 128  # what is compared stays in the processor's cache; at most 255, which a byte counts to


class Ranks(NamedTuple):
    """What competes with the best right answer of each query, one query a row.

    A text has one right answer, its video, or several; a video has all of its captions. The first that is met counts.

    Equal scores stand in random order, of which everything here is the mean: a query's answer is neither put first
    among its equals, which would reward a model that scores everything alike, nor last.
    """

    better: Int[np.ndarray, " Q"]  # wrong answers with a greater score
    equal: Int[np.ndarray, " Q"]  # wrong answers with the same score
    right: Int[np.ndarray, " Q"]  # right answers with this score, 1 or more

    def expected(self) -> Float[np.ndarray, " Q"]:
        """Mean rank of each query's first right answer, from 1: so many equals stand before the first of the right."""
        rank: Float[np.ndarray, " Q"] = 1 + self.better + self.equal / (self.right + 1)
        return rank

    def hits(self, k: int) -> Float[np.ndarray, " Q"]:
        """How likely a right answer is among the first ``k``.

        Of the equals, ``k - better`` are among them: all wrong with the probability that as many, drawn one after the
        other without putting them back, are.
        """
        drawn = (k - self.better).clip(0, self.equal + self.right)
        missed = np.ones(len(self.better))
        for number in range(k):
            still_wrong = (self.equal - number).clip(0) / (self.equal + self.right - number).clip(1)
            missed *= np.where(number < drawn, still_wrong, 1)
        return 1 - missed

    def figures(self) -> dict[str, float]:
        """``r@1``, ``r@5``, ``r@10`` in [0, 1]; median and mean of the expected ranks."""
        expected = self.expected()
        return {
            **{f"r@{k}": float(self.hits(k).mean()) for k in RECALLS},
            "median_rank": float(np.median(expected)),
            "mean_rank": float(expected.mean()),
        }

    @property
    def num_tied(self) -> int:
        """Queries of which a wrong answer has the score of the right one."""
        return int((self.equal > 0).sum())


def ranks(scores: PairedScores, rescoring: Rescoring = PLAIN) -> dict[Direction, Ranks]:
    """Both directions in one pass over the scores.

    Args:
        scores: of texts with videos.
        rescoring: what is done to the scores first.

    Returns:
        ``t2v``: each text looks for its video, or the best of those that are right, in the order of rows. ``v2t``: each
        video that has right texts looks for the best of them, in the order of columns. Only the directions that
        the rescoring has.
    """
    texts, videos = scores.right_text, scores.right_video
    text_best, of_text = _best(rescoring.for_texts(scores.positives, texts, videos), texts, scores.num_texts)
    video_best, of_video = _best(rescoring.for_videos(scores.positives, texts, videos), videos, scores.num_videos)
    is_asked = of_video > 0
    by_text, by_video = (np.zeros((2, number), dtype=np.int64) for number in (scores.num_texts, scores.num_videos))
    for block in scores.blocks():
        rows, columns = block.rows[:, None], block.columns[None, :]
        _, own = scores.right_cells(block)
        if "t2v" in rescoring.directions:
            of_texts = _without(own, rescoring.for_texts(block.scores, rows, columns))
            by_text[:, block.rows] += _in_rows(of_texts, text_best[block.rows])
        if "v2t" in rescoring.directions:
            of_videos = _without(own, rescoring.for_videos(block.scores, rows, columns))
            by_video[:, block.columns] += _in_columns(of_videos, video_best[block.columns])
    both: dict[Direction, Ranks] = {
        "t2v": Ranks(by_text[0], by_text[1], of_text),
        "v2t": Ranks(by_video[0, is_asked], by_video[1, is_asked], of_video[is_asked]),
    }
    return {direction: both[direction] for direction in rescoring.directions}


def named_figures(ranks_of: Mapping[Direction, Ranks], rescoring: Rescoring = PLAIN) -> dict[str, float]:
    """Figures of each direction: ``t2v/r@1``; those of a rescoring with its name, ``t2v/dual_softmax_r@1``."""
    prefix = "" if rescoring is PLAIN else f"{rescoring.name}_"
    return {
        f"{direction}/{prefix}{name}": value
        for direction, own in ranks_of.items()
        for name, value in own.figures().items()
    }


def _best(
    values: Float[np.ndarray, " P"], queries: Int[np.ndarray, " P"], count: int
) -> tuple[Float[np.ndarray, " Q"], Int[np.ndarray, " Q"]]:
    """The greatest value of the right answers of each query, and how many of them have it.

    Args:
        values: of all right answers.
        queries: that they are the answers of, by number.
        count: of all queries.
    """
    best = np.full(count, -np.inf, dtype=values.dtype)
    np.maximum.at(best, queries, values)
    return best, np.bincount(queries[values == best[queries]], minlength=count)


def _without(own: Cells, scores: Float[np.ndarray, "R K"]) -> Float[np.ndarray, "R K"]:
    """The scores of right answers are no competition, in either direction."""
    scores[own] = -np.inf
    return scores


def _in_rows(scores: Float[np.ndarray, "R K"], best: Float[np.ndarray, " R"]) -> Int[np.ndarray, "2 R"]:
    """How many of each row are greater than its best, and how many are equal."""
    counts = np.empty((2, len(scores)), dtype=np.int64)
    for some in _portions(len(scores)):
        other = best[some, None]
        for count, is_such in zip(counts, (scores[some] > other, scores[some] == other), strict=True):
            count[some] = np.bitwise_count(np.packbits(is_such, axis=1)).sum(1)
    return counts


def _in_columns(scores: Float[np.ndarray, "R K"], best: Float[np.ndarray, " K"]) -> Int[np.ndarray, "2 K"]:
    """As `_in_rows`, of each column."""
    counts = np.zeros((2, scores.shape[1]), dtype=np.int64)
    for some in _portions(len(scores)):
        for count, is_such in zip(counts, (scores[some] > best, scores[some] == best), strict=True):
            # As bytes, many are added at a time.
            count += np.add.reduce(is_such.view(np.uint8), axis=0, dtype=np.uint8)
    return counts


def _portions(num_rows: int) -> list[slice]:
    return [slice(start, start + _ROWS_AT_A_TIME) for start in range(0, num_rows, _ROWS_AT_A_TIME)]
