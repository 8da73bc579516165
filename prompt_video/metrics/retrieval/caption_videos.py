"""Files that say which video each caption belongs to, by the number of its column."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from data_modules.errors import InputError
from data_modules.files.regular_files import is_file
from data_modules.files.text_files import read_json, read_text
from prompt_video.io.numpy_files import open_array


def video_indices(path: Path | None, shape: tuple[int, ...], scores: Path) -> Int[np.ndarray, " C"]:
    """The column of each caption's video.

    Args:
        path: one number in a line, a JSON list (``.json``) or an array (``.npy``); None for row i with column i.
        shape: of the scores.
        scores: their file, for messages.

    Raises:
        InputError: when an entry is no whole number or no column, or there is not one for each row.
    """
    num_captions, num_videos = shape
    if path is None:
        if num_captions != num_videos:
            raise InputError(
                f"{scores} has {num_captions} rows and {num_videos} columns. Without --video_of_caption the caption of "
                "row i belongs to the video of column i, so the matrix must be square; name a file with the column of "
                "each caption's video."
            )
        return np.arange(num_captions)
    if not is_file(path):
        raise InputError(f"--video_of_caption: there is no file {path}.")
    place, entries = _read(path)
    numbers = [_number(entry, f"{path}, {place} {number}", num_videos) for number, entry in entries]
    if len(numbers) != num_captions:
        raise InputError(
            f"{path} names the videos of {len(numbers)} captions, but {scores} has {num_captions} rows; it needs one "
            "for each."
        )
    return np.array(numbers, dtype=np.int64)


def _read(path: Path) -> tuple[str, list[tuple[int, Any]]]:
    """What an entry is called, and all of them with the number to call them by."""
    if path.suffix == ".npy":
        array = open_array(path)
        if array.ndim != 1:
            raise InputError(f"{path}: the array has the shape {array.shape}; it must be one row of column numbers.")
        return "entry", list(enumerate(array.tolist()))
    if path.suffix != ".json":
        text = read_text(path).rstrip()
        return "line", list(enumerate(text.split("\n") if text else [], start=1))
    entries = read_json(path)
    if not isinstance(entries, list):
        raise InputError(f"{path} must hold a JSON list of column numbers.")
    return "entry", list(enumerate(entries))


def _number(entry: object, where: str, num_videos: int) -> int:
    try:
        if not isinstance(entry, int | str) or isinstance(entry, bool):
            raise ValueError
        number = int(entry)
    except ValueError:
        raise InputError(
            f"{where}: {entry!r} is no whole number; it must be the column of the caption's video."
        ) from None
    if not 0 <= number < num_videos:
        raise InputError(f"{where}: there is no column {number}; columns are 0 to {num_videos - 1}.")
    return number
