"""Media of a test for a dashboard, as plain values: whoever draws them need not know the task."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
from jaxtyping import Int
from PIL.Image import Image
from torch import Tensor

NUM_VIDEOS = 24  # that a table shows; each is a file to encode and to upload

T = TypeVar("T")


@dataclass(frozen=True)
class VideoCell:
    """A video to be played in a cell of a table.

    Args:
        path: the file, which need not be there.
        start_sec: what is shown begins here.
    """

    path: Path
    start_sec: float = 0.0


Cell: TypeAlias = str | int | float | VideoCell | Image | None


@dataclass(frozen=True)
class Table:
    """Rows of cells, each as long as the columns' names."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Confusion:
    """What each class was taken for.

    Args:
        class_names: of rows and columns.
        counts: rows the truth, columns the guess.
    """

    class_names: Sequence[str]
    counts: Int[Tensor, "K K"]


MediaItem: TypeAlias = Table | Confusion


def spread(ranked: Sequence[T], count: int) -> list[T]:
    """Some, evenly spread from the first to the last; all where there are no more."""
    places = np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int)
    return [ranked[place] for place in places.tolist()]


def half_wrong(right: Iterable[T], wrong: Iterable[T], count: int) -> list[T]:
    """So many in all, half of them wrong if there are as many; each half evenly spread."""
    right, wrong = list(right), list(wrong)
    num_wrong = min(len(wrong), max(count // 2, count - len(right)))
    return [*spread(wrong, num_wrong), *spread(right, count - num_wrong)]
