"""Tables of reports on the terminal, eighty letters wide."""

import textwrap

from rich.console import Group
from rich.text import Text

from prompt_video.io.tables import new_table
from prompt_video.reports.tables import Figure, Table


def rich_table(table: Table, title: str) -> Group:
    """The names and figures of a table; the best of each column is bold.

    Args:
        table: of which columns of words but the first, and gains, are left out.
        title: above.
    """
    rows = table.rows
    shown = [0] + [
        place
        for place, column in enumerate(table.columns)
        if place and not column.is_text and not any(_is_gain(row[place]) for row in rows)
    ]
    drawn = new_table()
    group = ""
    for place in shown:
        column = table.columns[place]
        # One word a line, and a group over its first column only: there are many columns.
        over = column.group.removeprefix("top-1 ") if column.group != group else ""
        group = column.group
        words = "\n".join([*textwrap.wrap(over, 13), *textwrap.wrap(column.title, 10 if place else 99)])
        drawn.add_column(words, justify="right" if place else "left", vertical="bottom", no_wrap=True)
    best = table.best
    for number, texts in enumerate(table.texts()):
        cells = (
            Text(texts[place].replace(" ± ", "±"), style="bold" if (number, place) in best else "") for place in shown
        )
        drawn.add_row(*cells)
    return Group(Text(title, style="bold"), drawn, "")


def _is_gain(cell: object) -> bool:
    return isinstance(cell, Figure) and cell.is_gain
