"""Scores that are changed in the light of other queries before they are ranked."""

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from prompt_video.metrics.retrieval.log_sums import LogSums
from prompt_video.metrics.retrieval.paired import PairedScores

Direction: TypeAlias = Literal["t2v", "v2t"]

DIRECTIONS: tuple[Direction, ...] = ("t2v", "v2t")

_GRID = 2.0**26  # steps of 1: logarithms rounded so tell scores apart that differ by 1.5e-8 of themselves
_LOG_OF_SMALLEST = 745  # minus the logarithm of the smallest number in double precision
_MOST = 1e7  # the widest range of logarithms that the grid can represent with room to spare


class Rescoring:
    """Leaves the scores as they are.

    A method gets scores with the numbers of their texts and videos, of any shapes that broadcast, and gives numbers
    that order the competing answers of one query as the published formula does: equal where it makes them equal,
    whatever block they stand in. It may give back what it got, and its caller may write to that.
    """

    name = "plain"
    directions: tuple[Direction, ...] = DIRECTIONS

    def for_texts(
        self, scores: Float[np.ndarray, "*shape"], rows: Int[np.ndarray, "..."], columns: Int[np.ndarray, "..."]
    ) -> Float[np.ndarray, "*shape"]:
        """For texts that look for their video."""
        return scores

    def for_videos(
        self, scores: Float[np.ndarray, "*shape"], rows: Int[np.ndarray, "..."], columns: Int[np.ndarray, "..."]
    ) -> Float[np.ndarray, "*shape"]:
        """For videos that look for their texts."""
        return scores


PLAIN = Rescoring()


class DualSoftmax(Rescoring):
    """Each score times its softmax over all queries of the test, which makes it transductive.

    A text's score with a video is multiplied with the softmax, over all texts, of that video's scores divided by the
    temperature; for videos that look for texts, over all videos. The published formula multiplies by the number of
    queries too, which changes no order.

    The softmax would underflow for most pairs, and make them equal: the logarithm is computed, and given the sign of
    the score. It is shifted by a constant that makes all of them positive first, so that the order is that of the
    products.

    Args:
        scores: all of the test; one pass goes over them.
        temperature: of the softmax; 1 for logits, around 0.01 for cosines.

    Raises:
        ValueError: when the temperature is not greater than 0, or far too small for the scores.

    Source: Cheng et al., Improving Video-Text Retrieval by Multi-Stream Corpus Alignment and Dual Softmax Loss, 2021;
        DSL.py@starmemda/CAMoE.
    """

    name = "dual_softmax"

    def __init__(self, scores: PairedScores, temperature: float) -> None:
        if not 0 < temperature < np.inf:
            raise ValueError(f"the temperature of the softmax must be a number greater than 0, not {temperature:g}.")
        self.temperature = temperature
        over_texts, over_videos = LogSums(scores.num_videos), LogSums(scores.num_texts)
        lowest, highest = np.inf, -np.inf
        for block in scores.blocks():
            logits = block.scores / np.float64(temperature)
            over_texts.add(logits, block.columns, axis=0)
            over_videos.add(logits, block.rows, axis=1)
            lowest, highest = min(lowest, logits.min()), max(highest, logits.max())
        if highest - lowest > _MOST:
            raise ValueError(
                f"the temperature {temperature:g} is far too small for scores that are {highest - lowest:.2g} of it "
                "apart; take 1 for logits, around 0.01 for cosines."
            )
        self.over_texts, self.over_videos = over_texts.values(), over_videos.values()
        count = max(scores.num_texts, scores.num_videos)
        self._shift = np.ceil(highest - lowest + np.log(count) + _LOG_OF_SMALLEST + 1)

    def for_texts(
        self, scores: Float[np.ndarray, "*shape"], rows: Int[np.ndarray, "..."], columns: Int[np.ndarray, "..."]
    ) -> Float[np.ndarray, "*shape"]:
        """By the softmax over all texts."""
        return self._rescored(scores, self.over_texts[columns])

    def for_videos(
        self, scores: Float[np.ndarray, "*shape"], rows: Int[np.ndarray, "..."], columns: Int[np.ndarray, "..."]
    ) -> Float[np.ndarray, "*shape"]:
        """By the softmax over all videos."""
        return self._rescored(scores, self.over_videos[rows])

    def _rescored(
        self, scores: Float[np.ndarray, "*shape"], log_sum: Float[np.ndarray, "..."]
    ) -> Float[np.ndarray, "*shape"]:
        exact = scores.astype(np.float64)
        size = np.abs(exact)
        size[size == 0] = 1  # any: the sign is 0
        logarithm = np.log(size, out=size)
        logarithm += exact / self.temperature - log_sum
        shifted = on_grid(logarithm)
        shifted += self._shift
        shifted *= np.sign(exact)
        return shifted


def on_grid(logarithms: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Rounded, in place, so that what differs by the order of a sum alone becomes equal.

    Scores that differ by more than single precision tells apart still do.
    """
    logarithms *= _GRID
    np.rint(logarithms, out=logarithms)
    logarithms /= _GRID
    return logarithms
