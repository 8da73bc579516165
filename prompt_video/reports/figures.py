"""Pictures of a report as SVG in the colours of its page, which are others in the dark: see ``page.css``."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from prompt_video.reports.document import Plot
from prompt_video.reports.text_formatting import plain, room, shortened

# Told apart by colour-blind readers too, and from light paper by all; --s0 and so on, which have others for the dark.
COLORS = ("#0072b2", "#c04a00", "#00805c", "#a8427f", "#8a6400", "#5a55c4")
DASHES = ("solid", "dashed", "dotted", "dashdot")  # beyond the palette, the colours come again
_WIDTH, _HEIGHT = 440.0, 270.0  # as wide as a telephone, nearly: letters are read on it too
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 20.0, 10.0, 44.0  # margins
_CELL, _LETTER = 22.0, 6.6  # of a confusion matrix: side of a cell; width of a letter of its names
_LONGEST = 26  # letters of such a name

_NOTHING = Markup()
Curve = Sequence[tuple[int | float, float]]
NO_CURVES: Mapping[str, Curve] = MappingProxyType({})


class Point(NamedTuple):
    """A value at a place; ``spread`` is drawn to both sides of it."""

    x: float
    value: float
    spread: float | None = None


class _Axes:
    """Round numbers along two sides of a picture, and where values lie between them.

    Args:
        xs: to be seen, along the lower side.
        values: the same of the left side.
        names: of places along the lower side; none: round numbers.
    """

    def __init__(self, xs: Sequence[float], values: Sequence[float], names: Mapping[float, str] | None = None) -> None:
        self.y_ticks = ticks(min(values), max(values))
        are_whole = all(float(x).is_integer() for x in xs)
        places = ticks(min(xs), max(xs), are_whole=are_whole) if names is None else []
        round_numbers = {tick: axis_number(tick) for tick in places}
        self.x_names = dict(names or round_numbers)
        self.left, self.right = min(self.x_names), max(self.x_names)
        room_beside = 0.0 if names is None else 0.06 * (self.right - self.left or 1.0)
        self.left, self.right = self.left - room_beside, self.right + room_beside

    def x(self, place: float | int) -> float:
        """Pixels from the left."""
        return _LEFT + (place - self.left) / (self.right - self.left) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float | int) -> float:
        """Pixels from the top."""
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def drawn(self, xlabel: str, ylabel: str) -> list[Markup]:
        """Grid, numbers and titles."""
        grid = Markup('<path class="grid" d="M{} {:.1f}H{}"/>')
        drawn = [grid.format(_LEFT, self.y(tick), _WIDTH - _RIGHT) for tick in self.y_ticks]
        drawn += [_text(_LEFT - 7, self.y(tick) + 4, axis_number(tick), "end") for tick in self.y_ticks]
        drawn += [_text(self.x(tick), _HEIGHT - _BOTTOM + 18, name) for tick, name in self.x_names.items()]
        drawn.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 6, xlabel))
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        return [*drawn, _text(14.0, middle, ylabel, more=Markup(' transform="rotate(-90 14 {})"').format(middle))]


def lines(
    curves: Mapping[str, Curve],
    title: str,
    ylabel: str,
    xlabel: str = "training step",
    note: str = "",
    levels: Mapping[str, Curve] = NO_CURVES,
) -> Plot:
    """Lines of (step, value), one for each name; the names stand above them, where they hide nothing.

    Args:
        curves: by what they show.
        title: above.
        ylabel: with the unit.
        xlabel: the same of the steps.
        note: below.
        levels: lines to compare with, dashed.
    """
    points = [point for curve in (*curves.values(), *levels.values()) for point in curve] or [(0, 0.0)]
    axes = _Axes([float(step) for step, _ in points], [float(value) for _, value in points])
    drawn, legend = axes.drawn(xlabel, ylabel), []
    for index, (name, curve) in enumerate([*curves.items(), *levels.items()]):
        turn, place = divmod(index, len(COLORS))
        dashes = DASHES[(turn + (index >= len(curves))) % len(DASHES)]
        drawn.append(_line(axes, curve, place, dashes, name))
        legend.append((place, dashes, plain(name)))
    return Plot(title, svg(drawn, _WIDTH, _HEIGHT, title), legend, note=note)


def against(
    series: Mapping[str, Sequence[Point]],
    levels: Mapping[str, float],
    title: str,
    ylabel: str,
    xlabel: str,
    names: Mapping[float, str],
    note: str = "",
) -> Plot:
    """Values against a setting, each with its spread, and levels to compare with as dashed lines.

    Args:
        series: points from the left to the right, by what they show.
        levels: values that hold at all settings, by what they are.
        title: above.
        ylabel: with the unit.
        xlabel: the setting.
        names: of its values, at their places.
        note: below.
    """
    points = [point for own in series.values() for point in own]
    ends = [point.value + sign * (point.spread or 0.0) for point in points for sign in (-1, 1)]
    axes = _Axes([point.x for point in points], [*ends, *levels.values()], names)
    drawn, legend = axes.drawn(xlabel, ylabel), []
    for index, (name, level) in enumerate(levels.items(), start=len(series)):
        place = index % len(COLORS)
        drawn.append(_line(axes, [(axes.left, level), (axes.right, level)], place, DASHES[1], f"{name}: {level:.1f}"))
        legend.append((place, DASHES[1], plain(name)))
    for index, (name, own) in reversed(list(enumerate(series.items()))):
        place = index % len(COLORS)
        drawn.append(_line(axes, [(point.x, point.value) for point in own], place, DASHES[0], name))
        drawn += [mark for point in own for mark in _marks(axes, point, place)]
        legend.insert(0, (place, DASHES[0], plain(name)))
    return Plot(title, svg(drawn, _WIDTH, _HEIGHT, title), legend, note=note)


def _line(axes: _Axes, curve: Iterable[tuple[float | int, float | int]], place: int, dashes: str, name: str) -> Markup:
    path = " ".join(f"{axes.x(step):.1f},{axes.y(value):.1f}" for step, value in curve)
    line = '<polyline class="line {}" style="stroke:var(--s{})" points="{}"><title>{}</title></polyline>'
    return Markup(line).format(dashes, place, path, plain(name))


def _marks(axes: _Axes, point: Point, place: int) -> list[Markup]:
    """A dot, and a bar as long as the spread."""
    x, told = axes.x(point.x), f"{point.value:.1f}" + (f" ± {point.spread:.1f}" if point.spread is not None else "")
    dot = '<circle cx="{:.1f}" cy="{:.1f}" r="3.5" style="fill:var(--s{})"><title>{}</title></circle>'
    marks = [Markup(dot).format(x, axes.y(point.value), place, told)]
    if point.spread:
        high, low = axes.y(point.value + point.spread), axes.y(point.value - point.spread)
        path = f"M{x:.1f} {high:.1f}V{low:.1f}M{x - 4:.1f} {high:.1f}h8M{x - 4:.1f} {low:.1f}h8"
        marks.append(Markup('<path class="line solid" style="stroke:var(--s{})" d="{}"/>').format(place, path))
    return marks


def confusion(shares: Float[np.ndarray, "K K"], names: Sequence[str], title: str, note: str = "") -> Plot:
    """What each class was taken for, with a bar that tells what the colours mean.

    Args:
        shares: of the videos of the true class, rows the truth; in [0, 1].
        names: of the classes; few enough to be read.
        title: above.
        note: below.
    """
    labels = [shortened(plain(name), _LONGEST) for name in names]
    margin = 34 + _LETTER * max(map(room, labels), default=0)
    side = _CELL * len(names)
    drawn = []
    for row, column in np.argwhere(shares).tolist():
        share = float(shares[row, column])
        told = f"{names[row]}: {100 * share:.0f} % taken for {names[column]}"
        place = margin + _CELL * column, _CELL * row
        drawn.append(_cell(*place, _CELL, share, told))
    drawn.append(Markup('<rect class="frame" x="{}" y="0" width="{}" height="{}"/>').format(margin, side, side))
    for number, label in enumerate(labels):
        middle = _CELL * (number + 0.5) + 4
        turned = Markup(' transform="rotate(-90 {} {})"').format(margin + middle, side + 8)
        drawn += [_text(margin - 7, middle, label, "end"), _text(margin + middle, side + 8, label, "end", turned)]
    end = margin + side
    drawn += [
        _cell(end + 16, side * (1 - (step + 1) / 20), 12.0, (step + 0.5) / 20, "", side / 20) for step in range(20)
    ]
    drawn += [
        _text(end + 34, max(side * (1 - share) + 4.0, 13.0), f"{100 * share:.0f} %", "start") for share in (0, 0.5, 1)
    ]
    drawn.append(_text(margin + side / 2, side + margin - 12, "taken for"))
    turned = Markup(' transform="rotate(-90 12 {})"').format(side / 2)
    drawn.append(_text(12.0, side / 2, "true class", more=turned))
    return Plot(title, svg(drawn, end + 76, side + margin, title), is_wide=True, note=note)


def svg(drawn: Iterable[Markup], width: float, height: float, title: str) -> Markup:
    """A picture from its elements, which tells its title to those who do not see it."""
    head = '<svg role="img" aria-label="{}" viewBox="0 0 {:.0f} {:.0f}" style="max-width:{:.0f}px">{}</svg>'
    return Markup(head).format(
        plain(title), width, height, 1.5 * width if width <= _WIDTH else width, Markup("\n").join(drawn)
    )


def ticks(low: float, high: float, count: int = 5, are_whole: bool = False) -> list[float]:
    """Round numbers from below the lowest to above the highest value, about so many; of steps whole ones."""
    span = high - low or abs(high) or 1.0
    size = 10 ** max(math.floor(math.log10(span / count)), 0 if are_whole else -300)
    factors = (1, 2, 5, 10) if are_whole else (1, 2, 2.5, 5, 10)
    step = next(size * of for of in factors if span / (size * of) <= count * (1 + 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(step * place) for place in range(first, max(last, first + 1) + 1)]


def axis_number(value: float) -> str:
    """On an axis: no more digits than tell it from its neighbours."""
    return f"{value:.6g}"


def _text(x: float, y: float, text: str, anchor: str = "middle", more: Markup = _NOTHING) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}"{}>{}</text>').format(x, y, anchor, more, text)


def _cell(x: float, y: float, width: float, share: float, told: str, height: float = _CELL) -> Markup:
    cell = '<rect class="share" x="{:.1f}" y="{:.1f}" width="{}" height="{:.1f}" fill-opacity="{:.2f}">{}</rect>'
    title = Markup("<title>{}</title>").format(told) if told else ""
    return Markup(cell).format(x, y, width, height, share, title)
