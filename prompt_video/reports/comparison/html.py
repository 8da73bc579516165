"""The report as one HTML file with everything inside."""

from collections.abc import Sequence

from markupsafe import Markup

from prompt_video.io.templates import render
from prompt_video.reports.comparison.classes import ClassGain
from prompt_video.reports.comparison.report_model import (
    ABOUT_PUBLISHED,
    ABOUT_SPREAD,
    FEW_CLASSES,
    Experiment,
    ReportModel,
    class_note,
    class_table,
)
from prompt_video.reports.figures import bars, learning_curves

FEW_ROWS = 2  # whose classes are shown at once; of more, on a click


def html(report: ReportModel) -> str:
    """The whole report as HTML: tables, curves, gains of classes, and how each run was made."""
    return render(
        "reports/comparison/report.html.jinja",
        title="Runs side by side",
        report=report,
        about_spread=ABOUT_SPREAD,
        about_published=ABOUT_PUBLISHED,
        few_rows=FEW_ROWS,
        class_note=class_note,
        class_table=class_table,
        class_figures=_class_figures,
        curve_figures=_curve_figures,
    )


def _curve_figures(experiment: Experiment) -> list[Markup]:
    return [learning_curves(lines, name, name) for name, lines in experiment.curves]


def _class_figures(experiment: Experiment, gains: Sequence[ClassGain]) -> list[Markup]:
    what = "average precision" if "map" in experiment.main else "accuracy"
    groups = {"all classes": gains}
    if len(gains) > 2 * FEW_CLASSES:
        groups = {"largest gains": gains[:FEW_CLASSES], "smallest gains": gains[-FEW_CLASSES:]}
    return [
        bars(
            {one.name: one.learned for one in group},
            title,
            what,
            1.0,
            {one.name: one.frozen for one in group},
            "frozen CLIP",
        )
        for title, group in groups.items()
    ]
