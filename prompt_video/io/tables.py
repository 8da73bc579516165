"""The one look of tables on a terminal: no lines, so that they are narrow, and read alike in a log file."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text

from prompt_video.io.readable import readable, wrapped

GAP = 2  # spaces between columns


def new_table(title: str | None = None) -> Table:
    """A table to add columns and rows to.

    Args:
        title: above it; see `titled`.
    """
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, GAP, 0, 0),
        header_style="dim",
    )


def titled(title: str, table: Table, caption: str | None = None) -> Group:
    """A table below its title, which may be wider; rich's own titles are wrapped to the table's width."""
    below = [_Sentence(caption, "dim italic")] if caption else []
    return Group(_Sentence(title, "bold"), table, *below)


@dataclass(frozen=True)
class _Sentence:
    """Broken between words on a terminal, as all else that is printed."""

    text: str
    style: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = readable(self.text)
        yield Text(wrapped(text, console.width) if console.is_terminal else text, self.style)


class GrowingTable:
    """Rows that are printed as they come, below each other in columns of known widths.

    Args:
        columns: heading, width and alignment of each; 0 is what the cell needs.
    """

    def __init__(self, columns: Sequence[tuple[str, int, JustifyMethod]]) -> None:
        self.columns = columns
        self._has_header = False

    def row(self, *cells: str | Text, style: str = "") -> Table:
        """One row to print; the first one brings the headings."""
        table = new_table()
        table.show_header, self._has_header = not self._has_header, True
        for heading, width, justify in self.columns:
            table.add_column(heading, width=width or None, justify=justify, overflow="fold")
        table.add_row(*cells, style=style)
        return table
