"""Tables of a report as values: what each column measures, what was measured, and which of it is best."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
ABOUT_SPREAD = (
    "± is the sample standard deviation over the runs or trials that n counts, cut where it would pass 0 or 100 %; a "
    "single run has none."
)
ABOUT_BEST = "Bold: the best of its column among the rows measured here."


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        title: for people.
        unit: of its figures; those in ``%`` lie between 0 and 100.
        better: which figures are; None where that cannot be said.
        group: a heading that neighbours share.
        is_text: its cells are words, not figures.
        decimals: of its figures, as people read them.
    """

    title: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    group: str = ""
    is_text: bool = False
    decimals: int = 1

    @property
    def heading(self) -> str:
        """Title and unit on one line, without the group."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    @property
    def full_title(self) -> str:
        """With the group that it stands below."""
        return f"{self.group}: {self.heading}" if self.group else self.heading


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    Args:
        value: in the unit of its column.
        spread: sample standard deviation over the repetitions; None of a single one.
        is_gain: written with its sign.
        mark: what to compare with in the bar that shows the value; None: no bar is drawn.
    """

    value: float
    spread: float | None = None
    is_gain: bool = False
    mark: float | None = None

    @property
    def shown(self) -> float:
        """As rounded for people."""
        return round(self.value, 1) + 0.0  # no -0.0

    def text(self, column: Column) -> str:
        """As it is read: ``55.0 ± 7.1``, and ``98.3 +1.7 -2.9`` where the spread is cut."""
        text = f"{self.shown:{'+' if self.is_gain else ''}.{column.decimals}f}".replace("-", MINUS)
        if self.spread is None:
            return text
        if column.unit != "%" or self.is_gain:
            return f"{text} ± {self.spread:.1f}"
        up, down = (f"{min(self.spread, room):.1f}" for room in (100 - self.value, self.value))
        return f"{text} ± {up}" if up == down else f"{text} +{up} {MINUS}{down}"


@dataclass(frozen=True)
class Link:
    """Words that lead to a file or folder."""

    text: str
    target: Path


Cell: TypeAlias = str | Figure | Link | None


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first column names the row.

    Args:
        title: what it shows.
        columns: of each row.
        rows: as many cells each.
        quoted: places of the rows that were not measured here, which are never the best.
        notes: below it.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    quoted: Collection[int] = ()
    notes: Sequence[str] = field(default_factory=tuple)
    kind: ClassVar = "table"

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Headings over the columns, each with the number that it spans; empty where no column has one."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and column.group and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return spans if any(name for name, _ in spans) else []

    @property
    def best(self) -> set[tuple[int, int]]:
        """(row, column) of the best figures as they are read; equal ones are all best, if not all are equal."""
        places = set()
        for number, column in enumerate(self.columns):
            shown = {
                row: cell.shown
                for row, cells in enumerate(self.rows)
                if isinstance(cell := cells[number], Figure) and row not in self.quoted
            }
            if column.better and len(set(shown.values())) > 1:
                top = (max if column.better == "higher" else min)(shown.values())
                places |= {(row, number) for row, value in shown.items() if value == top}
        return places

    def texts(self) -> list[list[str]]:
        """The cells as they are read."""
        return [[text_of(cell, column) for cell, column in zip(row, self.columns, strict=True)] for row in self.rows]


def text_of(cell: Cell, column: Column) -> str:
    """A cell as it is read."""
    if isinstance(cell, Figure):
        return cell.text(column)
    if isinstance(cell, Link):
        return cell.text
    return NONE if cell is None else cell
