"""The best answers of each query."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from prompt_video.metrics.retrieval.paired import PairedScores
from prompt_video.metrics.retrieval.rescoring import Direction


class Top(NamedTuple):
    """Answers of each query, best score first; of equal ones that with the smaller number."""

    numbers: Int[np.ndarray, "Q k"]
    scores: Float[np.ndarray, "Q k"]


def top(scores: PairedScores, k: int, direction: Direction) -> Top:
    """The best answers of each query.

    Args:
        scores: of texts with videos.
        k: how many; all where there are fewer.
        direction: ``t2v`` gives the best videos of each text, ``v2t`` the best texts of each video, also of those
            that have no text of their own.
    """
    of_texts = direction == "t2v"
    num_queries, num_answers = (scores.num_texts, scores.num_videos)[:: 1 if of_texts else -1]
    k = min(k, num_answers)
    best = Top(np.full((num_queries, k), -1), np.full((num_queries, k), -np.inf))
    for block in scores.blocks():
        if of_texts:
            _take(best, block.rows, block.columns, block.scores, k)
        else:
            _take(best, block.columns, block.rows, np.ascontiguousarray(block.scores.T), k)
    return best


def _take(
    best: Top,
    queries: Int[np.ndarray, " R"],
    answers: Int[np.ndarray, " K"],
    scores: Float[np.ndarray, "R K"],
    k: int,
) -> None:
    """Put a block's answers among the best so far, all of which have smaller numbers: of equal ones those stay."""
    least = best.scores[queries, -1]
    if k < len(answers):
        # Few answers are left to be sorted: those that are among the best of the block.
        least_here = np.partition(scores, len(answers) - k, axis=1)[:, len(answers) - k]
    else:
        least_here = scores.min(1)
    row, column = np.nonzero((scores > least[:, None]) & (scores >= least_here[:, None]))
    number = np.concatenate([best.numbers[queries].ravel(), answers[column]])
    score = np.concatenate([best.scores[queries].ravel(), scores[row, column]])
    place = np.concatenate([np.arange(len(queries)).repeat(k), row])
    # Entries not yet filled have the least score, and come last. Sorting is stable: numbers ascend already.
    order = np.lexsort((-score, place))
    first = np.searchsorted(place[order], np.arange(len(queries)))
    kept = order[first[:, None] + np.arange(k)]
    best.numbers[queries], best.scores[queries] = number[kept], score[kept]
