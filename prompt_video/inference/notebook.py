"""How models and what they say show themselves in a notebook."""

from collections.abc import Iterable, Sequence

from prompt_video.io.readable import escaped

MOST_SHOWN = 10  # lines; the objects hold all


def html_table(rows: Iterable[Sequence[object]], header: Sequence[str] = (), title: str = "") -> str:
    """A small table as HTML; without a header the first cell of each row is its name."""
    top = f"<caption style='text-align:left'>{escaped(title)}</caption>" if title else ""
    head = "".join(f"<th style='text-align:left'>{escaped(name)}</th>" for name in header)
    lines = [f"<tr>{head}</tr>"] if header else []
    for row in rows:
        first = f"<th style='text-align:left'>{escaped(row[0])}</th>" if not header else _cell(row[0])
        lines.append(f"<tr>{first}{''.join(map(_cell, row[1:]))}</tr>")
    return f"<table>{top}{''.join(lines)}</table>"


def _cell(value: object) -> str:
    return f"<td style='text-align:left'>{escaped(value)}</td>"
