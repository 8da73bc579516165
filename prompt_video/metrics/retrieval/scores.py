"""Scores of texts with videos, block by block: from features, or from a matrix that may be larger than memory."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int, Num

BLOCK = (1024, 4096)  # rows and columns; 32 MiB in double precision
PAIR_BLOCK = (128, 512)  # where a function makes them, which may look at many frames of each pair
Pairing: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]  # features of rows and of columns to their scores


class NotFiniteError(ValueError):
    """A score, or a feature, that is NaN or infinite."""


class Block(NamedTuple):
    """Some rows and columns of the scores."""

    rows: Int[np.ndarray, " R"]
    columns: Int[np.ndarray, " K"]
    scores: Float[np.ndarray, "R K"]


class Scores(ABC):
    """A matrix of scores.

    Args:
        num_rows: of texts, as a rule.
        num_columns: of videos, as a rule.
        name: what to call it in messages.
        block: the most rows and columns that are computed at a time.

    Raises:
        ValueError: when it is empty.
    """

    def __init__(self, num_rows: int, num_columns: int, name: str, block: tuple[int, int]) -> None:
        if not num_rows or not num_columns:
            raise ValueError(
                f"{name}: {num_rows} rows and {num_columns} columns; retrieval needs one of each at least."
            )
        self.num_rows = num_rows
        self.num_columns = num_columns
        self.name = name
        self.block = block

    @abstractmethod
    def of_cells(self, rows: Int[np.ndarray, " P"], columns: Int[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
        """The scores at these rows and columns."""

    @abstractmethod
    def _of_block(self, rows: slice, columns: slice) -> Float[np.ndarray, "R K"]:
        """A new array, which the caller may write to."""

    def blocks(self) -> Iterator[Block]:
        """The whole matrix: all columns of the first rows in ascending order, then those of the next.

        Raises:
            NotFiniteError: at the first score that is NaN or infinite.
        """
        num_rows, num_columns = self.block
        for top in range(0, self.num_rows, num_rows):
            rows = slice(top, min(top + num_rows, self.num_rows))
            for left in range(0, self.num_columns, num_columns):
                columns = slice(left, min(left + num_columns, self.num_columns))
                scores = self._of_block(rows, columns)
                if not np.isfinite(scores).all():
                    row, column = np.argwhere(~np.isfinite(scores))[0]
                    raise NotFiniteError(
                        f"{self.name}: the score in row {top + row}, column {left + column} is "
                        f"{scores[row, column]}; scores must be finite numbers."
                    )
                yield Block(np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop), scores)


class FeatureScores(Scores):
    """Dot products of features.

    They are computed in double precision and rounded to single precision: so equal features give equal scores in
    whatever block they stand, where sums of another order differ in the last digits.

    Args:
        row_features: of the texts, as a rule.
        column_features: of the videos, as a rule.
        name: what to call the scores in messages.
        block: the most rows and columns that are computed at a time.

    Raises:
        NotFiniteError: when a feature is NaN or infinite.
        ValueError: when there are none.
    """

    def __init__(
        self,
        row_features: Float[np.ndarray, "C D"],
        column_features: Float[np.ndarray, "V E"],
        name: str = "scores",
        block: tuple[int, int] = BLOCK,
    ) -> None:
        super().__init__(len(row_features), len(column_features), name, block)
        for side, features in (("row", row_features), ("column", column_features)):
            for start in range(0, len(features), block[0]):
                is_finite = np.isfinite(features[start : start + block[0]]).all(1)
                if not is_finite.all():
                    number = start + int(np.flatnonzero(~is_finite)[0])
                    raise NotFiniteError(
                        f"{name}: the features of {side} {number} hold NaN or infinity; they must be finite numbers."
                    )
        self.row_features = row_features
        self.column_features = column_features

    def of_cells(self, rows: Int[np.ndarray, " P"], columns: Int[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
        """The scores at these rows and columns."""
        scores = np.empty(len(rows), dtype=np.float32)
        for start in range(0, len(rows), self.block[0]):
            some = slice(start, start + self.block[0])
            one = self.row_features[rows[some]].astype(np.float64)
            other = self.column_features[columns[some]].astype(np.float64)
            scores[some] = _rounded(np.einsum("pd,pd->p", one, other))
        return scores

    def _of_block(self, rows: slice, columns: slice) -> Float[np.ndarray, "R K"]:
        return _rounded(self.row_features[rows].astype(np.float64) @ self.column_features[columns].astype(np.float64).T)


class PairedFeatureScores(FeatureScores):
    """Scores that a function makes of two features, such as of a text and frames that it weights.

    Args:
        row_features: see `FeatureScores`.
        column_features: see `FeatureScores`; of another length, as the function pleases.
        pairing: scores of all pairs, in double precision.
        name: what to call the scores in messages.
    """

    def __init__(
        self,
        row_features: Float[np.ndarray, "C D"],
        column_features: Float[np.ndarray, "V E"],
        pairing: Pairing,
        name: str = "scores",
    ) -> None:
        super().__init__(row_features, column_features, name, PAIR_BLOCK)
        self.pairing = pairing

    def of_cells(self, rows: Int[np.ndarray, " P"], columns: Int[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
        """The scores at these rows and columns."""
        cells = zip(rows.tolist(), columns.tolist(), strict=True)
        return np.array([self._of_block(slice(r, r + 1), slice(c, c + 1))[0, 0] for r, c in cells], dtype=np.float32)

    def _of_block(self, rows: slice, columns: slice) -> Float[np.ndarray, "R K"]:
        one, other = self.row_features[rows].astype(np.float64), self.column_features[columns].astype(np.float64)
        return _rounded(self.pairing(one, other))


def _rounded(products: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    with np.errstate(over="ignore"):  # becomes infinite, which is said where it stands
        return products.astype(np.float32)


class MatrixScores(Scores):
    """Scores that are there already, in memory or in a file that is mapped; they are compared as they are.

    Args:
        matrix: of floating-point numbers up to double precision, or of integers.
        name: what to call it in messages.
        block: the most rows and columns that are read at a time.

    Raises:
        ValueError: when it is empty.
    """

    def __init__(self, matrix: Num[np.ndarray, "C V"], name: str = "scores", block: tuple[int, int] = BLOCK) -> None:
        num_rows, num_columns = matrix.shape
        super().__init__(num_rows, num_columns, name, block)
        self.matrix = matrix
        is_single = matrix.dtype.kind == "f" and matrix.dtype.itemsize <= 4
        self.dtype = np.dtype(np.float32 if is_single else np.float64)

    def of_cells(self, rows: Int[np.ndarray, " P"], columns: Int[np.ndarray, " P"]) -> Float[np.ndarray, " P"]:
        """The scores at these rows and columns."""
        return np.array(self.matrix[rows, columns], dtype=self.dtype)

    def _of_block(self, rows: slice, columns: slice) -> Float[np.ndarray, "R K"]:
        return np.array(self.matrix[rows, columns], dtype=self.dtype)
