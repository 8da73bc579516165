"""Everything a test of retrieval has gathered, in an order of its own, and what can be asked of it."""

from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from prompt_video.metrics.retrieval.paired import AlsoRight, PairedScores
from prompt_video.metrics.retrieval.query_bank import BETA, QBNorm
from prompt_video.metrics.retrieval.ranks import Ranks, named_figures, ranks
from prompt_video.metrics.retrieval.rescoring import Direction, DualSoftmax
from prompt_video.metrics.retrieval.scores import FeatureScores, PairedFeatureScores, Pairing
from prompt_video.metrics.retrieval.top import Top, top


class Retrieval:
    """Texts and videos of a test by ascending number; ranks and best answers give places in this order.

    Args:
        text: number of each text.
        text_features: scores are their dot products with those of videos.
        video: number of each video.
        video_features: as ``text_features``.
        video_index: the place of each text's video in ``video``.
        pairing: scores of all pairs of texts and videos, where they are no dot products.
        also_right: places of texts and videos that are right answers to each other, too.

    Raises:
        ValueError: when there is no text or no video, or a feature is not finite.
    """

    def __init__(
        self,
        text: Int[np.ndarray, " C"],
        text_features: Float[np.ndarray, "C D"],
        video: Int[np.ndarray, " V"],
        video_features: Float[np.ndarray, "V E"],
        video_index: Int[np.ndarray, " C"],
        pairing: Pairing | None = None,
        also_right: AlsoRight | None = None,
    ) -> None:
        self.text = text
        self.text_features = text_features
        self.video = video
        self.video_features = video_features
        self.pairing = pairing
        self.scores = PairedScores(self._of_texts(text_features, video_features), video_index, also_right)

    @property
    def video_index(self) -> Int[np.ndarray, " C"]:
        """The place of each text's video."""
        return self.scores.video_index

    @cached_property
    def ranks(self) -> dict[Direction, Ranks]:
        """``t2v``: a row for each text. ``v2t``: a row for each video that has a text, `asking`."""
        return ranks(self.scores)

    @property
    def asking(self) -> Int[np.ndarray, " Q"]:
        """Places of the videos that have a right text, ascending."""
        return np.unique(self.scores.right_video)

    def top(self, k: int, direction: Direction) -> Top:
        """The best ``k`` videos of each text (``t2v``), or texts of each video (``v2t``), as places."""
        return top(self.scores, k, direction)

    def figures(self) -> dict[str, float]:
        """``t2v/r@1``, ``r@5``, ``r@10``, ``median_rank``, ``mean_rank``; the same of ``v2t``."""
        return named_figures(self.ranks)

    def dual_softmax(self, temperature: float) -> dict[str, float]:
        """``t2v/dual_softmax_r@1`` and so on, which use all queries of the test at once."""
        rescoring = DualSoftmax(self.scores, temperature)
        return named_figures(ranks(self.scores, rescoring), rescoring)

    def qb_norm(
        self,
        text_bank: Float[np.ndarray, "B D"] | None = None,
        video_bank: Float[np.ndarray, "N E"] | None = None,
        beta: float = BETA,
    ) -> dict[str, float]:
        """``t2v/qb_norm_r@1`` and so on, by features of training texts; ``v2t`` by those of training videos.

        Args:
            text_bank: None leaves ``t2v`` out.
            video_bank: None leaves ``v2t`` out.
            beta: inverse temperature; 20 for cosines.
        """
        rescoring = QBNorm(
            self.scores,
            None if text_bank is None else self._of_texts(text_bank, self.video_features, "bank of texts"),
            None if video_bank is None else self._of_videos(video_bank, self.text_features, "bank of videos"),
            beta,
        )
        return named_figures(ranks(self.scores, rescoring), rescoring)

    def _of_texts(self, texts: np.ndarray, videos: np.ndarray, name: str = "scores") -> FeatureScores:
        """A row for each text."""
        if self.pairing is None:
            return FeatureScores(texts, videos, name)
        return PairedFeatureScores(texts, videos, self.pairing, name)

    def _of_videos(self, videos: np.ndarray, texts: np.ndarray, name: str) -> FeatureScores:
        """A row for each video."""
        if (pairing := self.pairing) is None:
            return FeatureScores(videos, texts, name)
        return PairedFeatureScores(videos, texts, lambda rows, columns: pairing(columns, rows).T, name)
