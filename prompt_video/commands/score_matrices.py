"""Files of scores, which are mapped: they may be larger than memory."""

from pathlib import Path

import numpy as np
from jaxtyping import Num

from data_modules.errors import InputError


def read_matrix(path: Path) -> Num[np.ndarray, "C V"]:
    """The matrix, mapped.

    Raises:
        InputError: when it is no file of one, or not of real numbers.
    """
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; name an .npy file of scores.") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path} is no NumPy file with an array of numbers, or a damaged one; write it with numpy.save, as numbers "
            "and not as objects."
        ) from error
    if not isinstance(matrix, np.ndarray):
        matrix.close()
        raise InputError(f"{path} is an archive of arrays (.npz); save the matrix alone with numpy.save.")
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
