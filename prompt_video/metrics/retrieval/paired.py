"""Scores of which it is known where the right answers stand."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int

from prompt_video.metrics.retrieval.scores import Block, NotFiniteError, Scores

Cells: TypeAlias = tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]
AlsoRight: TypeAlias = Int[np.ndarray, "A 2"]  # texts and videos that are right answers to each other, too


class PairedScores:
    """Scores of texts (rows) with videos (columns), and which of them are right answers to each other.

    Args:
        scores: a row for each text, a column for each video.
        video_index: the column of each text's video. Videos without a right text can be the answer to one, but ask for
            none.
        also_right: row and column of more right answers; those that are known already count once.

    Raises:
        ValueError: when there is not one video for each text, or one that is no column.
        NotFiniteError: when the score of a right answer is NaN or infinite.
    """

    def __init__(self, scores: Scores, video_index: Int[np.ndarray, " C"], also_right: AlsoRight | None = None) -> None:
        if len(video_index) != scores.num_rows:
            raise ValueError(f"{scores.name}: {scores.num_rows} rows, but the videos of {len(video_index)} texts.")
        if video_index.min() < 0 or video_index.max() >= scores.num_columns:
            raise ValueError(
                f"{scores.name}: the videos of texts must be columns 0 to {scores.num_columns - 1}, "
                f"not {video_index.min()} to {video_index.max()}."
            )
        self.scores = scores
        self.video_index = video_index.astype(np.int64)
        pairs = np.stack([np.arange(scores.num_rows), self.video_index], axis=1)
        if also_right is not None and len(also_right):
            pairs = np.unique(np.concatenate([pairs, also_right]), axis=0)  # by text, then by video
        self.right_text, self.right_video = pairs.T
        self.positives = scores.of_cells(self.right_text, self.right_video)
        if not np.isfinite(self.positives).all():
            place = int(np.flatnonzero(~np.isfinite(self.positives))[0])
            raise NotFiniteError(
                f"{scores.name}: the score in row {self.right_text[place]}, column {self.right_video[place]} is "
                f"{self.positives[place]}; scores must be finite numbers."
            )

    @property
    def num_texts(self) -> int:
        """Number of texts, the rows of the scores."""
        return self.scores.num_rows

    @property
    def num_videos(self) -> int:
        """Number of videos, the columns of the scores."""
        return self.scores.num_columns

    def is_right(self, texts: Int[np.ndarray, " P"], videos: Int[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
        """Whether texts and videos are right answers to each other, pair by pair."""
        right = self.right_text * self.num_videos + self.right_video  # ascending
        asked = texts * self.num_videos + videos
        found: Bool[np.ndarray, " P"] = right[np.searchsorted(right, asked).clip(max=len(right) - 1)] == asked
        return found

    def right_cells(self, block: Block) -> tuple[Int[np.ndarray, " P"], Cells]:
        """Which of the right pairs lie in a block, and their rows and columns within it."""
        first, last = np.searchsorted(self.right_text, [block.rows[0], block.rows[-1] + 1])
        column = self.right_video[first:last] - block.columns[0]
        places = first + np.flatnonzero((column >= 0) & (column < len(block.columns)))
        return places, (self.right_text[places] - block.rows[0], self.right_video[places] - block.columns[0])

    def blocks(self) -> Iterator[Block]:
        """As those of the scores; right pairs have the very numbers that they have in ``positives``."""
        for block in self.scores.blocks():
            places, cells = self.right_cells(block)
            block.scores[cells] = self.positives[places]
            yield block
