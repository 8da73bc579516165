"""QB-Norm: answers that many training queries like are held back."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from prompt_video.metrics.retrieval.log_sums import LogSums
from prompt_video.metrics.retrieval.paired import PairedScores
from prompt_video.metrics.retrieval.rescoring import Direction, Rescoring, on_grid
from prompt_video.metrics.retrieval.scores import Scores

BETA = 20.0  # for cosines


class BankSums(NamedTuple):
    """What a bank of training queries says of each answer of the test."""

    log_sums: Float[np.ndarray, " N"]
    is_activated: Bool[np.ndarray, " N"]  # the best answer of some training query


class QBNorm(Rescoring):
    """Dynamic inverted softmax over banks of training queries.

    Where the best answer of a test query is also the best of some query in the bank, all its scores s become
    ``exp(beta * s) / sum over the bank of exp(beta * its score with the same answer)``; elsewhere they stay. Here the
    logarithm of that is computed, which orders the answers of a query alike and neither overflows nor underflows. Where
    several answers are best alike, each of them is: the published code takes whichever comes first.

    Args:
        scores: of the test; one pass goes over them.
        text_bank: training texts (rows) with the videos of the test; None leaves ``t2v`` out.
        video_bank: training videos (rows) with the texts of the test; None leaves ``v2t`` out.
        beta: inverse temperature; 20 for cosines.

    Raises:
        ValueError: when there is no bank, or one of other answers, or beta is not greater than 0.

    Source: Bogolin et al., Cross Modal Retrieval with Querybank Normalisation, CVPR 2022;
        dynamic_inverted_softmax.py@ioanacroi/qb-norm.
    """

    name = "qb_norm"

    def __init__(
        self, scores: PairedScores, text_bank: Scores | None, video_bank: Scores | None, beta: float = BETA
    ) -> None:
        if not 0 < beta < np.inf:
            raise ValueError(f"beta must be a number greater than 0, not {beta:g}.")
        banks: dict[Direction, tuple[Scores | None, int, str]] = {
            "t2v": (text_bank, scores.num_videos, "videos"),
            "v2t": (video_bank, scores.num_texts, "texts"),
        }
        for bank, count, answers in banks.values():
            if bank is not None and bank.num_columns != count:
                raise ValueError(
                    f"{bank.name}: {bank.num_rows} rows and {bank.num_columns} columns; a bank needs a row for each "
                    f"training query and a column for each of the {count} {answers} of the test."
                )
        self.beta = beta
        self.directions = tuple(direction for direction, (bank, _, _) in banks.items() if bank is not None)
        if not self.directions:
            raise ValueError("QB-Norm needs a bank of training texts, of training videos, or both.")
        self._of_videos = bank_sums(text_bank, beta) if text_bank is not None else _nothing(scores.num_videos)
        self._of_texts = bank_sums(video_bank, beta) if video_bank is not None else _nothing(scores.num_texts)
        self._is_changed_text, self._is_changed_video = _changed(
            scores, self._of_texts.is_activated, self._of_videos.is_activated
        )

    def for_texts(
        self, scores: Float[np.ndarray, "*shape"], rows: Int[np.ndarray, "..."], columns: Int[np.ndarray, "..."]
    ) -> Float[np.ndarray, "*shape"]:
        """By the bank of training texts."""
        return self._rescored(scores, self._is_changed_text[rows], self._of_videos.log_sums[columns])

    def for_videos(
        self, scores: Float[np.ndarray, "*shape"], rows: Int[np.ndarray, "..."], columns: Int[np.ndarray, "..."]
    ) -> Float[np.ndarray, "*shape"]:
        """By the bank of training videos."""
        return self._rescored(scores, self._is_changed_video[columns], self._of_texts.log_sums[rows])

    def _rescored(
        self,
        scores: Float[np.ndarray, "*shape"],
        is_changed: Bool[np.ndarray, "..."],
        log_sums: Float[np.ndarray, "..."],
    ) -> Float[np.ndarray, "*shape"]:
        exact = scores.astype(np.float64)
        return np.where(is_changed, on_grid(self.beta * exact - log_sums), exact)


def bank_sums(bank: Scores, beta: float) -> BankSums:
    """Go over a bank once.

    Args:
        bank: training queries (rows) with the answers of the test.
        beta: inverse temperature.
    """
    sums = LogSums(bank.num_columns)
    highest = np.full(bank.num_rows, -np.inf)
    best: list[tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"], Float[np.ndarray, " P"]]] = []
    is_activated = np.zeros(bank.num_columns, dtype=bool)
    for block in bank.blocks():
        exact = block.scores.astype(np.float64)
        highest[block.rows] = np.maximum(highest[block.rows], exact.max(1))
        row, column = np.nonzero(exact == highest[block.rows, None])
        best.append((block.rows[row], block.columns[column], exact[row, column]))
        if block.columns[-1] == bank.num_columns - 1:  # these rows are complete
            for rows, columns, scores in best:
                is_activated[columns[scores == highest[rows]]] = True
            best.clear()
        exact *= beta
        sums.add(exact, block.columns, axis=0)
    return BankSums(sums.values(), is_activated)


def _nothing(count: int) -> BankSums:
    return BankSums(np.zeros(count), np.zeros(count, dtype=bool))


def _changed(
    scores: PairedScores, is_activated_text: Bool[np.ndarray, " C"], is_activated_video: Bool[np.ndarray, " V"]
) -> tuple[Bool[np.ndarray, " C"], Bool[np.ndarray, " V"]]:
    """The texts that have an activated video among their best ones, and the videos that have such a text."""
    text_best, text_activated = (np.full(scores.num_texts, -np.inf) for _ in range(2))
    video_best, video_activated = (np.full(scores.num_videos, -np.inf) for _ in range(2))
    for rows, columns, block in scores.blocks():
        text_best[rows] = np.maximum(text_best[rows], block.max(1))
        video_best[columns] = np.maximum(video_best[columns], block.max(0))
        of_activated = block[:, is_activated_video[columns]].max(1, initial=-np.inf)
        text_activated[rows] = np.maximum(text_activated[rows], of_activated)
        of_activated = block[is_activated_text[rows]].max(0, initial=-np.inf)
        video_activated[columns] = np.maximum(video_activated[columns], of_activated)
    return text_activated == text_best, video_activated == video_best
