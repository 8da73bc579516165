"""Tables and reports as Markdown, LaTeX (booktabs) and CSV, for papers and programs."""

import csv
import io
import re
from collections.abc import Sequence

from markupsafe import Markup

from prompt_video.io.readable import readable, readable_lines
from prompt_video.io.spreadsheet import inert
from prompt_video.reports.document import Code, Document, Facts, Fold, Note, Part, Section
from prompt_video.reports.tables import MINUS, NONE, Figure, Table, text_of

_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "…": r"\ldots{}"},
    **{
        "±": r"$\pm$",
        "Δ": r"$\Delta$",
        MINUS: "$-$",
        NONE: "--",
        "→": r"$\to$",
        "<": "$<$",
        ">": "$>$",
    },
}
CSV_HEADER = ("section", "table", "row", "column", "unit", "value", "standard deviation")


def markdown(document: Document) -> str:
    """A report without its pictures."""
    parts = [f"# {markdown_text(document.title)}", *_markdown(document.lead, 2), *_markdown([document.facts], 2)]
    return "\n\n".join([*parts, *_markdown(document.sections, 2)]) + "\n"


def latex(document: Document) -> str:
    """The tables of a report, to be put into a paper by its input command; they need its package booktabs."""
    return "\n\n".join(latex_table(table, heading) for heading, table in document.tables()) + "\n"


def csv_text(document: Document) -> str:
    """Every figure of a report's tables on a line of its own, so that a program need not know how they are laid out."""
    lines = [
        (heading, table.title, text_of(row[0], table.columns[0]), column.title, column.unit, *_values(cell))
        for heading, table in document.tables()
        for row in table.rows
        for column, cell in zip(table.columns[1:], row[1:], strict=True)
        if cell is not None
    ]
    return _csv([CSV_HEADER, *lines])


def markdown_table(table: Table) -> str:
    """One table; its best figures are bold."""
    rows = [
        [f"**{markdown_text(text)}**" if (row, place) in table.best else markdown_text(text) for place, text in cells]
        for row, cells in ((row, list(enumerate(texts))) for row, texts in enumerate(table.texts()))
    ]
    rules = [":---" if column.is_text else "---:" for column in table.columns]
    header = [markdown_text(column.full_title) for column in table.columns]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rules, *rows))


def latex_table(table: Table, heading: str = "") -> str:
    """One table with its caption; its best figures are bold."""
    best, columns = table.best, table.columns
    rows = []
    for row, texts in enumerate(table.texts()):
        if row and row in table.quoted and row - 1 not in table.quoted:
            rows.append(r"\midrule")
        cells = (
            rf"\textbf{{{latex_text(text)}}}" if (row, place) in best else latex_text(text)
            for place, text in enumerate(texts)
        )
        rows.append(" & ".join(cells) + r" \\")
    head = []
    if table.groups:
        spans = [
            rf"\multicolumn{{{count}}}{{c}}{{{latex_text(name)}}}" if name else " & " * (count - 1)
            for name, count in table.groups
        ]
        ends = [sum(count for _, count in table.groups[: place + 1]) for place in range(len(table.groups))]
        rules = [
            rf"\cmidrule(lr){{{end - count + 1}-{end}}}"
            for (name, count), end in zip(table.groups, ends, strict=True)
            if name
        ]
        head = [" & ".join(spans) + r" \\", " ".join(rules)]
    head.append(" & ".join(latex_text(column.heading) for column in columns) + r" \\")
    caption = ". ".join(text.rstrip(".") for text in dict.fromkeys((heading, table.title, *table.notes)) if text)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_text(caption)}.}}",
        rf"\begin{{tabular}}{{{''.join('l' if column.is_text else 'r' for column in columns)}}}",
        *(r"\toprule", *head, r"\midrule", *rows, r"\bottomrule"),
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)


def csv_table(table: Table) -> str:
    """One table as it is laid out, the spread of a figure in a column of its own."""
    spread = [
        any(isinstance(row[place], Figure) and row[place].spread is not None for row in table.rows)  # type: ignore[union-attr]
        for place in range(len(table.columns))
    ]
    header = [
        name
        for column, has_spread in zip(table.columns, spread, strict=True)
        for name in (column.full_title, *(["standard deviation"] if has_spread else []))
    ]
    rows = [
        [value for cell, has_spread in zip(row, spread, strict=True) for value in _values(cell)[: 1 + has_spread]]
        for row in table.rows
    ]
    return _csv([header, *rows])


def markdown_text(text: str) -> str:
    """Text that no sign of which means anything."""
    escaped = re.sub(r"([\\`*_|<>\[\]#~&$])", r"\\\1", readable(" ".join(text.split())))
    return re.sub(r"^(\d*)([-+=.)])(?=[ =-]|$)", r"\1\\\2", escaped)  # nor begins a list or a heading


def latex_text(text: str) -> str:
    """Text that no sign of which means anything."""
    return "".join(_LATEX.get(sign, sign) for sign in readable(" ".join(text.split())))


def _markdown(parts: Sequence[Part], level: int) -> list[str]:
    written: list[str] = []
    for part in parts:
        if isinstance(part, Section):
            written += [f"{'#' * level} {markdown_text(part.title)}", *_markdown(part.parts, level + 1)]
        elif isinstance(part, Fold):
            written += [f"**{markdown_text(part.summary)}**", *_markdown(part.parts, level)]
        elif isinstance(part, Table):
            written += [f"**{markdown_text(part.title)}**"] if part.title else []
            written += [markdown_table(part), *(markdown_text(note) for note in part.notes)]
        elif isinstance(part, Facts):
            rows = (
                (name, value if isinstance(value, str) else ", ".join(link.text for link in value))
                for name, value in part.rows
            )
            written.append("\n".join(f"- {name}: {markdown_text(value)}" for name, value in rows))
        elif isinstance(part, Code):
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", part.text)), default=0))
            written.append(f"{fence}\n{readable_lines(part.text)}\n{fence}")
        elif isinstance(part, Note) or (isinstance(part, str) and not isinstance(part, Markup)):
            written.append(markdown_text(part.text if isinstance(part, Note) else part))
    return written


def _values(cell: object) -> tuple[object, object]:
    if isinstance(cell, Figure):
        return round(cell.value, 4), "" if cell.spread is None else round(cell.spread, 4)
    return "" if cell is None else getattr(cell, "text", cell), ""


def _csv(rows: Sequence[Sequence[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([inert(cell) for cell in row] for row in rows)
    return buffer.getvalue()
