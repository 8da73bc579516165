"""NumPy files of others: arrays of numbers, mapped, since they may be larger than memory."""

from pathlib import Path

import numpy as np

from data_modules.errors import InputError
from data_modules.files.regular_files import why_not_a_file


def open_array(path: Path) -> np.ndarray:
    """The array of an ``.npy`` file, memory-mapped: only what is looked at is read.

    Raises:
        InputError: when it is no regular file, no NumPy file or a damaged one, or one of objects or of several arrays.
    """
    if not path.exists():
        raise InputError(f"there is no file {path}; name an .npy file.")
    if reason := why_not_a_file(path):
        raise InputError(f"{path} cannot be read: {reason}; name an .npy file.")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # NumPy reads a header as Python, and whatever goes wrong there comes out as it is
        raise InputError(
            f"{path} is no NumPy file with an array of numbers, or a damaged one; write it with numpy.save, as numbers "
            "and not as objects."
        ) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError(f"{path} is an archive of arrays (.npz); save the array alone with numpy.save.")
    return array
