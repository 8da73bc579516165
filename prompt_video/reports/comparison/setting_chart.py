"""What a sweep came to as a chart: a figure against the setting, with its spread over seeds and published values."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from prompt_video.reports.comparison.aggregates import aggregate, frozen_name
from prompt_video.reports.comparison.published import published
from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.document import Plot
from prompt_video.reports.figures import Point, against
from prompt_video.reports.titles import begun, column_of, setting_title

NOTE = "Bars: the sample standard deviation over the seeds. Dashed: the same at all settings."


def setting_plot(rows: Sequence[tuple[Row, Mapping[str, Any]]], figure: str) -> Plot | None:
    """The chart of a sweep; None where nothing changes, or nothing was measured.

    Args:
        rows: of one experiment, with the values of the settings that set them apart.
        figure: to draw.
    """
    names = [name for name in (rows[0][1] if rows else {}) if len({str(values[name]) for _, values in rows}) > 1]
    if not names:
        return None
    column = column_of(figure)
    scale = 100.0 if column.unit else 1.0
    labels = list(dict.fromkeys(_text(values[names[0]]) for _, values in rows))
    places = {label: float(number) for number, label in enumerate(labels)}
    if all(_is_number(label) for label in labels):
        places = {label: float(label) for label in labels}
    series: dict[str, list[Point]] = {}
    for row, values in rows:
        if (found := aggregate(row, figure)) is not None:
            others = ", ".join(f"{setting_title(name)} {_text(values[name])}" for name in names[1:])
            spread = None if found.spread is None else scale * found.spread
            point = Point(places[_text(values[names[0]])], scale * found.value, spread)
            series.setdefault(others or "measured here", []).append(point)
    if not series:
        return None
    axis = _axis(names[0], rows[0][1][names[0]])
    title = f"{column.group}: {column.title}" if column.group else column.title
    return against(
        {name: sorted(points, key=lambda point: point.x) for name, points in series.items()},
        {name: scale * level for name, level in _levels(rows, figure).items()},
        f"{begun(title)} against {axis}",
        f"{title}{f', {column.unit}' if column.unit else ''}",
        axis,
        {place: label for label, place in places.items()},
        NOTE,
    )


def _levels(rows: Sequence[tuple[Row, Mapping[str, Any]]], figure: str) -> dict[str, float]:
    """Published values, and that of the zero-shot model where it is the same at all settings."""
    frozen = [found.value for row, _ in rows if (found := aggregate(row, frozen_name(figure))) is not None]
    levels = {"zero-shot, same videos": frozen[0]} if frozen and max(frozen) - min(frozen) < 1e-9 else {}
    for other in published(rows[0][0].experiment):
        if figure in other.figures:
            state = "" if other.state == "found" else f", {other.state}"
            levels[f"published, {other.who} ({other.letter}{state})"] = other.figures[figure]
    return levels


def _axis(name: str, value: object) -> str:
    """What changes along the chart; of several settings that one option makes equal all."""
    told = _inner(value)
    return " = ".join(map(setting_title, told)) if len(set(map(str, told.values()))) == 1 else setting_title(name)


def _text(value: object) -> str:
    """A value as it is read on an axis: of several numbers that are equal the one."""
    told = _inner(value)
    numbers = list(dict.fromkeys(map(str, told.values())))
    return numbers[0] if len(numbers) == 1 else ", ".join(f"{key} {one}" for key, one in told.items()) or str(value)


def _inner(value: object) -> dict[str, object]:
    """The settings that an option sets at once, by name; none of a single one."""
    try:
        said = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
