"""Retrieval metrics that are fed batch by batch, on any number of processes."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics.utilities import dim_zero_cat

from prompt_video.metrics.gathered import GatheredMetric
from prompt_video.metrics.retrieval.paired import AlsoRight
from prompt_video.metrics.retrieval.results import Retrieval
from prompt_video.metrics.retrieval.scores import Pairing


class RetrievalMetrics(GatheredMetric):
    """Gathers the features of all texts and videos; their scores are dot products, ranked as `ranks` does.

    Features are kept in single precision. Results do not depend on the order in which they come, nor on the processes.
    """

    pairing: Pairing | None = None  # where scores are no dot products
    also_right: AlsoRight | None = None  # numbers of texts and videos that are right answers to each other, too

    # All of one axis, so that a process without texts or videos need not know how long features are.
    rows: ClassVar = {
        "text": ((), torch.long),
        "text_video": ((), torch.long),
        "text_features": ((), torch.float),
        "video": ((), torch.long),
        "video_features": ((), torch.float),
    }

    def update(
        self,
        text_features: Float[Tensor, "C D"],
        video_features: Float[Tensor, "B E"],
        text: Int[Tensor, " C"],
        text_video: Int[Tensor, " C"],
        video: Int[Tensor, " B"],
    ) -> None:
        """Add texts and videos, each once on all processes together.

        Args:
            text_features: scaled, or joined from several models, as it pleases.
            video_features: as ``text_features``.
            text: number of each text among all of the test.
            text_video: number of each text's video, which may come in another call or process.
            video: number of each video among all of the test.
        """
        self.keep(text, text_video, text_features.flatten(), video, video_features.flatten())

    def compute(self) -> dict[str, float]:
        """``t2v/r@1``, ``r@5``, ``r@10`` in [0, 1], ``median_rank``, ``mean_rank``; the same of ``v2t``."""
        return self._gathered().figures()

    def retrieval(self) -> Retrieval:
        """All that was given, to ask more of it. On several processes all have to call it."""
        with self.sync_context():
            return self._gathered()

    def _gathered(self) -> Retrieval:
        """All that was given, on all processes.

        Raises:
            ValueError: when there is no text or no video, one was given twice, or a text's video was not given.
        """
        self.fill()
        text, text_video, video = (self._column(name) for name in ("text", "text_video", "video"))
        for numbers, what in ((text, "texts"), (video, "videos")):
            if not len(numbers):
                raise ValueError(f"no {what} were given; retrieval needs some.")
            if repeated := len(numbers) - len(np.unique(numbers)):
                raise ValueError(f"{repeated} of {len(numbers)} {what} were given twice; each must count once.")
        by_text, by_video = np.argsort(text), np.argsort(video)
        text, text_video, video = text[by_text], text_video[by_text], video[by_video]
        video_index = np.searchsorted(video, text_video).clip(max=len(video) - 1)
        if (lost := text_video[video[video_index] != text_video]).size:
            raise ValueError(f"the video {lost[0]} has a text, but was not given itself.")
        text_features = self._column("text_features").reshape(len(text), -1)[by_text]
        video_features = self._column("video_features").reshape(len(video), -1)[by_video]
        also = None if self.also_right is None else _places(self.also_right, text, video)
        return Retrieval(text, text_features, video, video_features, video_index, self.pairing, also)

    def _column(self, name: str) -> np.ndarray:
        column: np.ndarray = dim_zero_cat(getattr(self, name)).cpu().numpy()
        return column


def _places(pairs: AlsoRight, text: Int[np.ndarray, " C"], video: Int[np.ndarray, " V"]) -> Int[np.ndarray, "given 2"]:
    """Numbers as places among those that were given, which ascend; a pair of which one was not is left out."""
    given = pairs[np.isin(pairs[:, 0], text) & np.isin(pairs[:, 1], video)]
    return np.stack([np.searchsorted(text, given[:, 0]), np.searchsorted(video, given[:, 1])], axis=1)
