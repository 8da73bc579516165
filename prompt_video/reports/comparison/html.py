"""The report as one HTML file with everything inside."""

from prompt_video.io.readable import escaped
from prompt_video.reports import figures, page
from prompt_video.reports.comparison.report_model import (
    ABOUT_PUBLISHED,
    ABOUT_SPREAD,
    FEW_CLASSES,
    Document,
    Experiment,
    Origin,
    class_note,
    class_table,
)

FEW_ROWS = 2  # whose classes are shown at once; of more, on a click


def html(report: Document) -> str:
    """The page."""
    runs, names = report.num_runs, [experiment.name for experiment in report.experiments]
    links = ", ".join(f'<a href="#{index}">{escaped(name)}</a>' for index, name in enumerate(names))
    lead = (
        f"<p>{runs} {'run' if runs == 1 else 'runs'} of {links}.</p>"
        f'<p class="soft">{escaped(ABOUT_SPREAD)} Curves are of the newest run of each row.</p>'
    )
    sections = [(name, _experiment(index, report.experiments[index])) for index, name in enumerate(names)]
    if report.left_out:
        lines = "".join(f"<li>{escaped(line)}</li>" for line in report.left_out)
        summary = f"<summary>{len(report.left_out)} of the folders and files, and why</summary>"
        sections.append(("Left out", f'<details>{summary}<ul class="soft lines">{lines}</ul></details>'))
    return page.page("Runs side by side", lead, sections)


def _experiment(index: int, experiment: Experiment) -> str:
    told = "".join(f'<p class="soft">{escaped(protocol)}</p>' for protocol in experiment.protocols)
    results = experiment.results
    parts = [f'<div id="{index}">{told}</div>']
    parts.append(f'<div class="scroll">{page.table(results.header, results.rows, soft=results.quoted)}</div>')
    if experiment.sources:
        parts.append(f'<p class="soft">{ABOUT_PUBLISHED} {escaped("; ".join(experiment.sources))}.</p>')
    if experiment.curves:
        drawn = (figures.learning_curves(lines, name, name) for name, lines in experiment.curves)
        parts.append(page.figures(*drawn))
    if experiment.classes:
        parts.append(f"<h3>Classes against the frozen CLIP</h3>{_classes(experiment)}")
    origins = "".join(_origin(origin) for origin in experiment.origins)
    summary = f"<summary>How each row was made: commands and versions of {len(experiment.origins)} runs</summary>"
    parts.append(f"<details>{summary}{origins}</details>")
    return "".join(parts)


def _classes(experiment: Experiment) -> str:
    parts = []
    what = "average precision" if "map" in experiment.main else "accuracy"
    for row, gains in experiment.classes.items():
        groups = {"all classes": gains}
        if len(gains) > 2 * FEW_CLASSES:
            groups = {"largest gains": gains[:FEW_CLASSES], "smallest gains": gains[-FEW_CLASSES:]}
        drawn = (
            figures.bars(
                {one.name: one.learned for one in shown},
                which,
                what,
                1.0,
                {one.name: one.frozen for one in shown},
                "frozen CLIP",
            )
            for which, shown in groups.items()
        )
        table = class_table(gains)
        parts.append(
            f"<details{' open' if len(experiment.classes) <= FEW_ROWS else ''}><summary>{escaped(row)}</summary>"
            f'<p class="soft">{class_note(gains)}</p>'
            f"{page.figures(*drawn)}<details><summary>as a table</summary>"
            f'<div class="scroll">{page.table(table.header, table.rows)}</div></details></details>'
        )
    return "".join(parts)


def _origin(origin: Origin) -> str:
    facts = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in origin.facts)
    seed = next((value for name, value in origin.facts if name == "seed"), "")
    return (
        f'<details class="origin"><summary>{escaped(origin.row)} <span class="soft">seed {escaped(seed)}</span>'
        f"<pre>{escaped(origin.command)}</pre></summary><dl>{facts}</dl></details>"
    )
