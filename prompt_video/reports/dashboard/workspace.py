"""The layout as a workspace of wandb: saved there, or as the specification that would have been sent."""

from collections.abc import Sequence
from typing import Any

from data_modules.errors import InputError
from prompt_video.compat import workspace_view
from prompt_video.reports.dashboard.items import CONFUSION_CHART
from prompt_video.reports.dashboard.layout import Panel, Section

STEP = "trainer/global_step"
_LARGE = {"table", "confusion"}  # kinds that take the whole width


def make_workspace(sections: Sequence[Section], name: str, entity: str, project: str) -> Any:  # noqa: ANN401 - untyped
    """A workspace of wandb, not saved yet; nothing is sent.

    Args:
        sections: of panels.
        name: of the workspace, as the project's list of views shows it.
        entity: the user or the team whose project it is.
        project: of the runs.

    Raises:
        InputError: when wandb-workspaces is not installed.
    """
    try:
        from wandb_workspaces import workspaces
    except ImportError as error:
        raise InputError(
            "the dashboard's layout needs wandb-workspaces; `pip install 'prompt-video[dashboard]'` installs it."
        ) from error
    made = []
    for section in sections:
        is_large = all(panel.kind in _LARGE for panel in section.panels)
        columns = 1 if is_large else 3
        rows = -(-len(section.panels) // columns)
        flow = workspaces.SectionLayoutSettings(columns=columns, rows=rows)
        panels = [_panel(panel) for panel in section.panels]
        made.append(workspaces.Section(name=section.name, panels=panels, is_open=True, layout_settings=flow))
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=made,
        settings=workspaces.WorkspaceSettings(x_axis=STEP),
    )


def specification(workspace: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """What saving a workspace would send, ready for JSON."""
    return workspace_view(workspace)


def _panel(panel: Panel) -> Any:  # noqa: ANN401 - as above
    from wandb_workspaces.reports.v2 import interface as reports

    if panel.kind == "line":
        return reports.LinePlot(title=panel.title, x=STEP, y=list(panel.keys))
    if panel.kind == "bar":
        return reports.BarPlot(title=panel.title, metrics=list(panel.keys))
    (key,) = panel.keys
    if panel.kind == "table":
        return reports.WeavePanelSummaryTable(table_name=key)
    chart = CONFUSION_CHART if panel.kind == "confusion" else "wandb/scatter/v0"
    axes = panel.columns if panel.kind == "confusion" else ("x", "y")
    return reports.CustomChart(
        query={"summaryTable": {"tableKey": key}},
        chart_name=chart,
        chart_fields=dict(zip(axes, panel.columns, strict=True)),
        chart_strings={"title": panel.title},
    )
