"""A report as one HTML file with everything inside."""

import os
from functools import partial
from pathlib import Path
from urllib.parse import quote

from data_modules.files.atomic import write_whole
from prompt_video.io.templates import render
from prompt_video.reports.document import Document
from prompt_video.reports.exports import csv_table, latex_table, markdown_table
from prompt_video.reports.tables import Link, Table, text_of

FEW_SECTIONS = 3  # of more, their contents are listed


def html(document: Document, folder: Path) -> str:
    """The page.

    Args:
        document: what it tells.
        folder: where it will lie; links lead from there.
    """
    return render(
        "reports/page.html.jinja",
        document=document,
        has_contents=len(document.sections) > FEW_SECTIONS,
        href=partial(_href, folder),
        text_of=text_of,
        exports=_exports,
        is_link=lambda cell: isinstance(cell, Link),
    )


def write_page(path: Path, document: Document) -> None:
    """Write the page, whole or not at all.

    Args:
        path: the file; its folder is made.
        document: what it tells.
    """
    write_text(path, html(document, path.parent))


def write_text(path: Path, text: str) -> None:
    """Write one form of a report, whole or not at all; its folder is made, and names may hold any bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8", errors="backslashreplace"))


def _exports(table: Table) -> dict[str, str]:
    return {"Markdown": markdown_table(table), "LaTeX": latex_table(table), "CSV": csv_table(table)}


def _href(folder: Path, link: Link) -> str:
    relative = os.path.relpath(link.target, folder) + ("/" if link.target.is_dir() else "")
    return quote(Path(relative).as_posix() + ("/" if relative.endswith("/") else ""), errors="surrogateescape")
