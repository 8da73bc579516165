"""Files of scores, which are mapped: they may be larger than memory."""

from pathlib import Path

import numpy as np
from jaxtyping import Num

from data_modules.errors import InputError
from prompt_video.io.numpy_files import open_array


def read_matrix(path: Path) -> Num[np.ndarray, "C V"]:
    """The matrix, mapped.

    Raises:
        InputError: when it is no file of one, or not of real numbers.
    """
    matrix = open_array(path)
    if matrix.ndim != 2:
        raise InputError(f"{path}: the array has the shape {matrix.shape}; it must have rows and columns.")
    if not matrix.size:
        raise InputError(f"{path}: the array has the shape {matrix.shape}; it needs a row and a column at least.")
    if matrix.dtype.kind not in "fiu" or matrix.dtype.itemsize > 8:
        raise InputError(
            f"{path}: scores must be floating-point numbers up to float64, or integers, not {matrix.dtype}."
        )
    return matrix


def read_bank(path: Path, count: int, what: str) -> Num[np.ndarray, "B N"]:
    """A matrix of training queries, with a column for each answer of the test.

    Args:
        path: the file.
        count: of the answers.
        what: they are, for messages.

    Raises:
        InputError: as `read_matrix`, and when there are more columns or fewer.
    """
    bank = read_matrix(path)
    if bank.shape[1] != count:
        hint = "; transpose it" if bank.shape[0] == count else ""
        raise InputError(
            f"{path} has {bank.shape[1]} columns; it needs one for each of the {count} {what} of the test{hint}."
        )
    return bank
