"""The report as Markdown, for the appendix of a paper."""

import re

from prompt_video.io.readable import readable, readable_lines
from prompt_video.reports.comparison.report_model import (
    ABOUT_PUBLISHED,
    ABOUT_SPREAD,
    ReportModel,
    class_note,
    class_table,
)
from prompt_video.reports.page import Table


def markdown(report: ReportModel) -> str:
    """The tables of a report."""
    parts = ["# Runs side by side", ABOUT_SPREAD]
    for experiment in report.experiments:
        parts += [
            f"## {markdown_text(experiment.name)}",
            *(markdown_text(protocol) for protocol in experiment.protocols),
        ]
        parts.append(_table(experiment.results))
        if experiment.sources:
            parts.append(f"{ABOUT_PUBLISHED} Sources: {markdown_text('; '.join(experiment.sources))}.")
        for row, gains in experiment.classes.items():
            parts += [f"### Classes, {markdown_text(row)}", class_note(gains), _table(class_table(gains))]
        parts.append("### How each row was made")
        for origin in experiment.origins:
            facts = "\n".join(f"- {name}: {markdown_text(value)}" for name, value in origin.facts)
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", origin.command)), default=0))
            parts.append(
                f"**{markdown_text(origin.row)}**\n\n{facts}\n\n{fence}\n{readable_lines(origin.command)}\n{fence}"
            )
    if report.left_out:
        parts += ["## Left out", "\n".join(f"- {markdown_text(line)}" for line in report.left_out)]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    lines = ["| " + " | ".join(markdown_text(cell) for cell in row) + " |" for row in (table.header, *table.rows)]
    rule = "|---" + "|---:" * (len(table.header) - 1) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def markdown_text(text: str) -> str:
    """Text that no sign of which means anything."""
    escaped = re.sub(r"([\\`*_|<>\[\]#~&$])", r"\\\1", readable(" ".join(text.split())))
    return re.sub(r"^(\d*)([-+=.)])(?=[ =-]|$)", r"\1\\\2", escaped)  # nor begins a list or a heading
