"""What several pages show, as their templates take it: see ``parts.html.jinja``."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column is a name.

    Args:
        header: of the columns.
        rows: as many cells each.
        best: place of the row that stands out.
        quoted: places of the rows that were not measured here, and stand back.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: int | None = None
    quoted: Collection[int] = ()


@dataclass(frozen=True)
class Example:
    """One test video on the contact sheet; ``image`` is a data URI."""

    image: str
    truth: str
    pred: str
    probability: float
