"""Controls of a test as a table, and what they mean in plain words, made from the figures."""

import math
from collections.abc import Mapping
from typing import Any

from data_modules.protocols.class_overlap import HOW
from prompt_video.reports.comparison.aggregates import frozen_name
from prompt_video.reports.document import Fold, Part
from prompt_video.reports.tables import Cell, Column, Figure, Table
from prompt_video.reports.titles import column_of
from prompt_video.tasks.controls import (
    CHANCE,
    IN_ORDER,
    NONSENSE,
    ONE_FRAME,
    OTHERS,
    OVERLAPPING,
    REVERSED,
    SHUFFLED,
)

NO_CHANGE = 2.0  # points, or so many standard errors where a test is small: less is not called a change
_TITLES = {
    IN_ORDER: "as it is",
    SHUFFLED: "frames in shuffled order",
    REVERSED: "frames in reversed order",
    ONE_FRAME: "the middle frame alone",
    NONSENSE: "made-up class names",
    CHANCE: "by chance",
    OVERLAPPING: "classes called as in training",
    OTHERS: "other classes",
}
_ABOUT = (
    "The same test once more but for one change. Frames change their order within each view of a video, or within each "
    f"annotated segment. Less than {NO_CHANGE:g} points, or {NO_CHANGE:g} standard errors, are not called a change."
)
Found = dict[str, dict[str, dict[str, float]]]  # by test, control and figure, in per cent


def read_controls(metrics: Mapping[str, float]) -> Found:
    """The figures of controls among those of a run, in per cent; the only test has no name."""
    found: Found = {}
    for key, value in metrics.items():
        kind, _, rest = key.partition("/")
        first, _, figure = rest.partition("/")
        if kind == "controls" and first in _TITLES:
            found.setdefault("", {}).setdefault(first, {})[figure] = 100 * value
        elif kind == "controls":
            control, _, figure = figure.partition("/")
            found.setdefault(first, {}).setdefault(control, {})[figure] = 100 * value
    return found


def control_parts(results: Mapping[str, Any]) -> list[Part]:
    """Sentences and a table; nothing of a run without controls.

    Args:
        results: as ``results.json`` has them.
    """
    if not (found := read_controls(results["metrics"])):
        return []
    parts: list[Part] = [*control_sentences(results), _table(found, results.get("confidence", {}))]
    overlapping = results.get("controls", {}).get("overlapping", {})
    alike = [f"{name}: {partner}" for own in overlapping.values() for name, partner in own.items()]
    if alike:
        parts.append(Fold(f"The {len(alike)} classes called as one of training, and that one", ["; ".join(alike)]))
    return parts


def _table(found: Found, confidence: Mapping[str, Any]) -> Table:
    places = list(dict.fromkeys((test, figure) for test, own in found.items() for of in own.values() for figure in of))
    columns = [Column("test", is_text=True), *(_column(test, figure) for test, figure in places)]

    def cell(test: str, control: str, figure: str) -> Cell:
        value = found[test].get(control, {}).get(figure)
        key = "/".join(part for part in ("controls", test, control, figure) if part)
        std = confidence.get(key, {}).get("std")
        return None if value is None else Figure(value, None if std is None else 100 * std)

    shown = [control for control in _TITLES if any(control in own for own in found.values())]
    rows: list[list[Cell]] = [
        [_TITLES[control], *(cell(test, control, figure) for test, figure in places)] for control in shown
    ]
    return Table("The test with one change", columns, rows, notes=[_ABOUT])


def _column(test: str, figure: str) -> Column:
    own = column_of(f"test/{figure}")
    group = ": ".join(part for part in (test.replace("_", " "), own.group.replace(" at overlap", "")) if part)
    return Column(own.title, own.unit, None, group)


def control_sentences(results: Mapping[str, Any]) -> list[str]:
    """What the controls mean, some sentences for each test.

    Args:
        results: as ``results.json`` has them.
    """
    left_out = results.get("controls", {}).get("left_out")
    told = [f"{left_out[0].upper()}{left_out[1:]}."] if left_out else []
    sentences = []
    for test, found in read_controls(results["metrics"]).items():
        videos = results.get("samples", {}).get(test or "test", {}).get("used", 0)
        said = " ".join([*_below(results["metrics"], test, found), *_of_test(found, videos)])
        sentences.append(f"{test.replace('_', ' ')}: {said}" if test else said)
    return [*sentences, *told] if sentences else []


def _below(metrics: Mapping[str, float], test: str, found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """That nothing was gained, where what was learned names fewer than what is frozen."""
    figure, own = next(iter(found[IN_ORDER].items()))
    frozen = 100 * metrics.get(frozen_name("/".join(part for part in ("test", test, figure) if part)), 0.0)
    if own >= frozen:
        return []
    return [f"What was learned is worse than the frozen model alone: {own:.1f} % against {frozen:.1f} %."]


def _of_test(found: Mapping[str, Mapping[str, float]], videos: int) -> list[str]:
    main = next(iter(found[IN_ORDER]))
    values = {control: own[main] for control, own in found.items() if main in own}
    own = values[IN_ORDER]
    error = math.sqrt(max(own * (100 - own), 0) / videos) if videos else 0.0
    least = max(NO_CHANGE, NO_CHANGE * error)
    if CHANCE in values and own < values[CHANCE] + least:
        return [f"It cannot be told from chance, {own:.1f} % against {values[CHANCE]:.1f} %: no control says more."]
    said = [_order(own, values[SHUFFLED], values[REVERSED], least)] if SHUFFLED in values else []
    if ONE_FRAME in values:
        said.append(_one_frame(own, values[ONE_FRAME], least))
    if NONSENSE in values:
        said.append(_names(own, values[NONSENSE], values.get(CHANCE)))
    if OVERLAPPING in found:
        alike, others = (next(iter(found[group].values())) for group in (OVERLAPPING, OTHERS))
        said.append(
            f"Classes that are called as one of training ({HOW}) have {alike:.1f} %, the others {others:.1f} %."
        )
    return said


def _order(own: float, shuffled: float, reverse: float, least: float) -> str:
    figures = f"{own:.1f} % in order, {shuffled:.1f} % shuffled, {reverse:.1f} % reversed"
    if max(abs(own - shuffled), abs(own - reverse)) < least:
        return f"The model does not look at the order of frames, or this test does not ask for it: {figures}."
    if reverse < shuffled - least:
        why = "what runs backwards is taken for something else"
    else:
        why = "what follows on what counts" + (", not in which direction" if abs(own - reverse) < least else "")
    return f"The model looks at the order of frames: {figures}; {why}."


def _one_frame(own: float, alone: float, least: float) -> str:
    if own - alone < least:
        return f"One frame is enough: the middle one alone has {alone:.1f} %."
    return f"The middle frame alone has {alone:.1f} %: the others are worth {own - alone:.1f} points."


def _names(own: float, nonsense: float, chance: float | None) -> str:
    by_chance = "" if chance is None else f", and chance is {chance:.1f} %"
    if nonsense < ((chance or 0.0) + own) / 2:
        return f"It reads the names of classes: with made-up ones it has {nonsense:.1f} %{by_chance}."
    return f"The names of classes hardly count: with made-up ones it has {nonsense:.1f} %{by_chance}."
