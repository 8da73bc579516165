"""Scores of which it is known where the right answers stand."""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
from jaxtyping import Int

from prompt_video.metrics.retrieval.scores import Block, NotFiniteError, Scores

Cells: TypeAlias = tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]


class PairedScores:
    """Scores of texts (rows) with videos (columns), and which video each text is of.

    Args:
        scores: a row for each text, a column for each video.
        video_index: the column of each text's video. Videos without a text can be the answer to one, but ask for none.

    Raises:
        ValueError: when there is not one video for each text, or one that is no column.
        NotFiniteError: when the score of a text with its own video is NaN or infinite.
    """

    def __init__(self, scores: Scores, video_index: Int[np.ndarray, " C"]) -> None:
        if len(video_index) != scores.num_rows:
            raise ValueError(f"{scores.name}: {scores.num_rows} rows, but the videos of {len(video_index)} texts.")
        if video_index.min() < 0 or video_index.max() >= scores.num_columns:
            raise ValueError(
                f"{scores.name}: the videos of texts must be columns 0 to {scores.num_columns - 1}, "
                f"not {video_index.min()} to {video_index.max()}."
            )
        self.scores = scores
        self.video_index = video_index.astype(np.int64)
        self.positives = scores.of_cells(np.arange(scores.num_rows), self.video_index)
        if not np.isfinite(self.positives).all():
            row = int(np.flatnonzero(~np.isfinite(self.positives))[0])
            raise NotFiniteError(
                f"{scores.name}: the score in row {row}, column {video_index[row]} is {self.positives[row]}; "
                "scores must be finite numbers."
            )

    @property
    def num_texts(self) -> int:
        """Number of texts, the rows of the scores."""
        return self.scores.num_rows

    @property
    def num_videos(self) -> int:
        """Number of videos, the columns of the scores."""
        return self.scores.num_columns

    def own_cells(self, block: Block) -> Cells:
        """Rows and columns, within the block, of texts with their own video."""
        column = self.video_index[block.rows] - block.columns[0]
        rows = np.flatnonzero((column >= 0) & (column < len(block.columns)))
        return rows, column[rows]

    def blocks(self) -> Iterator[Block]:
        """As those of the scores; a text has with its own video the very number that it has in ``positives``."""
        for block in self.scores.blocks():
            rows, columns = self.own_cells(block)
            block.scores[rows, columns] = self.positives[block.rows[rows]]
            yield block
