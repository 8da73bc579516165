"""Timelines as pictures. Imported late by who draws one: half a second goes into matplotlib."""

import hashlib
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from PIL import Image

from prompt_video.localization.detection_files import NO_LABEL
from prompt_video.localization.verdicts import TIOU
from prompt_video.reports.document import Plot
from prompt_video.reports.figures import COLORS
from prompt_video.reports.film_strip import FilmStrip
from prompt_video.reports.text_formatting import clock, plain, room, shortened
from prompt_video.reports.timeline_rows import Bar, Kind, Timeline, TimelineRow, timeline_rows

MAX_ROWS = 10
INK, SOFT, BAND = "#1c2330", "#525d6c", "#edf0f3"
# What is drawn in these is drawn in the variables of page.css on a page.
_VARIABLES = {INK: "ink", SOFT: "soft", BAND: "band", **{color: f"s{number}" for number, color in enumerate(COLORS)}}
_STYLE: dict[Any, Any] = {
    **{"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "timeline"},
    **{"axes.spines.top": False, "axes.spines.right": False},
    **{"text.color": INK, "ytick.labelcolor": INK, "figure.facecolor": "none", "axes.facecolor": "none"},
}
# How strong the colour of the poorest and of the best detection is: in light and in the dark, a score is read on both.
WEAKEST, STRONGEST = 0.08, 0.45
KINDS: dict[Kind, tuple[str, str]] = {
    "annotated": (INK, "annotated"),
    "right": (COLORS[0], f"detected, right (overlap of {TIOU} or more)"),
    "wrong": (COLORS[1], "detected, wrong"),
    "detected": (COLORS[0], "detected"),
}
_WIDTH, _EDGE, _LEVEL, _GAP = 9.6, 0.14, 0.17, 0.1  # inches: of the picture, its margin, a level of bars, between rows
_TITLE, _AXIS, _MAX_STRIP = 0.38, 0.5, 0.9  # inches: above, the title; below, seconds and legend; height of the frames
_EM = 0.073  # inches: a sign of the labels, on average
_MAX_SIGNS = 34  # of a label; more are cut
_STEPS_SEC = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
# Asked in turn, as far as they are installed, for a sign that the ones before lack. An SVG leaves that to the browser.
_FONTS = ("DejaVu Sans", "Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Emoji", "Arial Unicode MS")


def timeline_plot(timeline: Timeline) -> Plot:
    """A timeline for a page."""
    with _style():
        buffer = io.StringIO()
        _draw(timeline, has_title=False).savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    title, note = plain(timeline.title), plain(timeline.note)
    return Plot(title, _in_variables(buffer.getvalue(), f"{title}: {note}"), is_wide=True, note=note)


def _in_variables(text: str, title: str) -> Markup:
    """What matplotlib has drawn, its texts escaped, as an element of a page beside others."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r' id="[a-z][\w.]*?_\d+"', "", text)
    mine = hashlib.sha256(text.encode()).hexdigest()[:8]  # ids of other timelines are the same
    text = re.sub(r'(id="|url\(#|href="#)([\w-]+)', rf"\g<1>t{mine}\g<2>", text)
    for color, name in _VARIABLES.items():
        text = re.sub(rf"(?<=: ){color}\b", f"var(--{name})", text, flags=re.IGNORECASE)
    return Markup(text.replace("<svg ", Markup('<svg role="img" aria-label="{}" ').format(title), 1))


def timeline_picture(timeline: Timeline, dpi: float = 150.0) -> Image.Image:
    """A timeline as pixels.

    Args:
        timeline: what to draw.
        dpi: pixels per inch; a timeline is 9.6 inches wide.
    """
    buffer = io.BytesIO()
    with _style():
        _draw(timeline).savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return Image.open(buffer).convert("RGB")


@contextmanager
def _style() -> Iterator[None]:
    installed = set(font_manager.get_font_names())
    fonts = [font for font in _FONTS if font in installed]
    style = {**_STYLE, "font.family": fonts or ["sans-serif"]}
    with mpl.rc_context(style), warnings.catch_warnings():
        # A sign that no installed font has is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def _draw(timeline: Timeline, *, has_title: bool = True) -> Figure:
    rows = timeline_rows(timeline.detections, timeline.truth)
    drawn, span = rows[:MAX_ROWS], _span_sec(timeline)
    left = _EDGE + 0.1 + _EM * max((room(_name(row)) for row in drawn), default=0)
    width = _WIDTH - left - 2 * _EDGE
    frames = _frame_size(timeline.strip, width / span) if timeline.strip else (0.0, 0.0)
    above = (_TITLE if has_title else _EDGE / 2) + frames[1] + (0.06 if timeline.strip else 0)
    height = sum(_height(row) for row in drawn or [TimelineRow("", ())])
    whole = above + height + _AXIS
    figure = Figure(figsize=(_WIDTH, whole))
    right = 1 - 2 * _EDGE / _WIDTH
    if has_title:
        note = plain(timeline.note)
        title = shortened(plain(timeline.title), 115 - room(note))
        figure.text(_EDGE / _WIDTH, 1 - _EDGE / whole, title, va="top", weight="bold", parse_math=False)
        figure.text(right, 1 - _EDGE / whole, note, va="top", ha="right", color=SOFT, parse_math=False)
    # Both ways in what can be thought of: seconds to the right, inches down.
    axes = figure.add_axes((left / _WIDTH, _AXIS / whole, width / _WIDTH, height / whole))
    axes.set(xlim=(0, span), ylim=(height, 0))
    _draw_rows(axes, drawn, timeline, width / span)
    if timeline.strip:
        _draw_strip(axes, timeline.strip, frames)
    _label_seconds(axes, span)
    _draw_legend(figure, {bar.kind for row in drawn for bar in row.bars}, (right, 0.1 / whole))
    if more := len(rows) - len(drawn):
        figure.text(_EDGE / _WIDTH, (_AXIS - 0.06) / whole, f"+ {more} more", color=SOFT, va="top", size=8)
    return figure


def _draw_rows(axes: Axes, rows: Sequence[TimelineRow], timeline: Timeline, inch: float) -> None:
    """From the top down; a second is so many inches wide."""
    end = axes.get_xlim()[1]
    full = timeline.full_score or max((detection.score for detection in timeline.detections), default=0) or 1.0
    top, middles = 0.0, []
    for row in rows or [TimelineRow("", ())]:
        # Grey as long as the video lasts: annotations and detections may lie behind its end.
        grey = Rectangle((0, top + 0.02), min(timeline.duration_sec or end, end), _height(row) - 0.04)
        grey.set(facecolor=BAND, linewidth=0)
        axes.add_patch(grey)
        for bar in reversed(row.bars):  # the best lie above the others
            _draw_bar(axes, bar, top + _GAP / 2 + _LEVEL * bar.level, full, inch)
        middles.append(top + _height(row) / 2)
        top += _height(row)
    if not rows:
        axes.text(end / 2, top / 2, "nothing annotated, nothing detected", color=SOFT, ha="center", va="center")
    axes.set_yticks(middles[: len(rows)], [_name(row) for row in rows], parse_math=False)
    axes.tick_params(axis="y", length=0)
    axes.spines[["left", "bottom"]].set_visible(False)


def _draw_bar(axes: Axes, bar: Bar, top: float, full: float, inch: float) -> None:
    color = KINDS[bar.kind][0]
    share = 0.0 if bar.score is None else min(bar.score / full, 1.0)
    strength = 1.0 if bar.score is None else WEAKEST + (STRONGEST - WEAKEST) * share
    width = max(bar.end_sec - bar.start_sec, 0.03 / inch)  # the shortest can still be seen
    place, height = (bar.start_sec, top + 0.015), _LEVEL - 0.03
    axes.add_patch(Rectangle(place, width, height, facecolor=BAND, linewidth=0))  # nothing below shines through
    axes.add_patch(Rectangle(place, width, height, facecolor=color, alpha=strength, linewidth=0))
    axes.add_patch(Rectangle(place, width, height, fill=False, edgecolor=color, linewidth=0.96))
    if bar.score is not None and not bar.is_covered and width * inch > 0.3:
        middle = (bar.start_sec + width / 2, top + _LEVEL / 2)
        style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "clip_on": True}
        axes.text(*middle, f"{bar.score:.2f}", color=INK, size=7, **style)


def _draw_strip(axes: Axes, strip: FilmStrip, size: tuple[float, float]) -> None:
    """Frames above the rows, each over the middle of its part of the video."""
    part = strip.duration_sec / len(strip.frames)
    end, lowest = axes.get_xlim()[1], axes.get_ylim()[0]
    for number, frame in enumerate(strip.frames.permute(0, 2, 3, 1).numpy()):
        middle = (number + 0.5) * part
        extent = (middle - size[0] / 2, middle + size[0] / 2, -0.06, -0.06 - size[1])
        # Not resampled: a browser shows the page larger than it was drawn.
        axes.imshow(frame, extent=extent, aspect="auto", interpolation="none", clip_on=False)
    axes.set(xlim=(0, end), ylim=(lowest, 0))  # as before the pictures came


def _frame_size(strip: FilmStrip, inch: float) -> tuple[float, float]:
    """Width in seconds and height in inches of one frame, at so many inches a second: not too wide, not too high."""
    height, width = strip.frames.shape[-2:]
    part = strip.duration_sec / len(strip.frames) * inch
    scale = min(max(part - 0.02, 0.5 * part) / width, _MAX_STRIP / height)
    return scale * width / inch, scale * height


def _label_seconds(axes: Axes, span: float) -> None:
    step = next((step for step in _STEPS_SEC if span / step <= 12), span)
    ticks = np.arange(0, span * (1 + 1e-9), step)
    axes.set_xticks(ticks, [clock(tick) if span > 120 else f"{tick:g} s" for tick in ticks.tolist()], size=8)
    axes.tick_params(axis="x", colors=SOFT, length=3)


def _draw_legend(figure: Figure, kinds: set[Kind], corner: tuple[float, float]) -> None:
    patches = [Patch(color=color, label=title) for kind, (color, title) in KINDS.items() if kind in kinds]
    if kinds - {"annotated"}:
        patches.append(Patch(alpha=0, label="the fuller, the higher the score"))
    style: dict[str, Any] = {"ncols": 4, "frameon": False, "fontsize": 7.5, "handlelength": 1.2}
    figure.legend(handles=patches, loc="lower right", bbox_to_anchor=corner, borderaxespad=0, borderpad=0, **style)


def _span_sec(timeline: Timeline) -> float:
    """To the end of the video, or of what lies behind it."""
    ends = [timeline.duration_sec or 0.0, timeline.strip.duration_sec if timeline.strip else 0.0]
    ends += [detection.end_sec for detection in timeline.detections]
    ends += [action.end_sec for action in timeline.truth or ()]
    return max(ends) if max(ends) > 0 else 1.0


def _height(row: TimelineRow) -> float:
    return _LEVEL * row.num_levels + _GAP


def _name(row: TimelineRow) -> str:
    return shortened(plain(row.label), _MAX_SIGNS) or NO_LABEL
