"""Logarithms of sums of exponentials, added up block by block."""

import numpy as np
from jaxtyping import Float, Int


class LogSums:
    """So many of them. The largest exponent so far is kept apart, so that nothing overflows.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._largest = np.full(count, -np.inf)
        self._sums = np.zeros(count)

    def add(self, exponents: Float[np.ndarray, "R K"], numbers: Int[np.ndarray, " N"], axis: int) -> None:
        """Add exponents, all finite, along an axis.

        Args:
            exponents: in double precision.
            numbers: which sums they belong to; as many as the other axis has entries.
            axis: 0 adds all rows to each other, 1 all columns.
        """
        before = self._largest[numbers]
        largest = np.maximum(before, exponents.max(axis))
        powers = exponents - np.expand_dims(largest, axis)
        np.exp(powers, out=powers)
        self._sums[numbers] = self._sums[numbers] * np.exp(before - largest) + powers.sum(axis)
        self._largest[numbers] = largest

    def values(self) -> Float[np.ndarray, " N"]:
        """The logarithms; minus infinity where nothing was added."""
        with np.errstate(divide="ignore"):
            return self._largest + np.log(self._sums)
