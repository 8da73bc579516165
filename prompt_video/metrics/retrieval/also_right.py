"""Files of more right answers of a matrix of scores, by the numbers of rows and columns."""

from pathlib import Path

import numpy as np

from data_modules.errors import InputError
from data_modules.files.text_files import excerpt, read_table
from prompt_video.metrics.retrieval.paired import AlsoRight


def also_right_pairs(path: Path, shape: tuple[int, ...]) -> AlsoRight:
    """Rows and columns that are right answers to each other, beside each caption's own video.

    Args:
        path: CSV with the header ``caption,video``: a row and a column, from 0.
        shape: of the scores.

    Raises:
        InputError: when the file is of another shape, or an entry is no row or no column.
    """
    pairs = [
        [
            _number(row[name].strip(), what, count, f"{path}, line {line}")
            for name, what, count in zip(("caption", "video"), ("row", "column"), shape, strict=True)
        ]
        for line, row in read_table(path, ("caption", "video"), (), "both are numbers")
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _number(entry: str, what: str, count: int, where: str) -> int:
    if not entry.isdecimal() or int(entry) >= count:
        raise InputError(f"{where}: {excerpt(entry)} is no {what} of the scores; {what}s are 0 to {count - 1}.")
    return int(entry)
