"""Small drawings of a notebook, as SVG that reads on light and on dark pages."""

from collections.abc import Sequence
from typing import NamedTuple

from prompt_video.io.readable import escaped

COLORS = ("#4477aa", "#cc6633", "#228833", "#aa3377", "#998800", "#3399bb", "#777777", "#bb4455")  # 3 : 1 on both
WIDTH, LEFT, LINE, MARGIN = 640.0, 60.0, 18.0, 8.0


class Bar(NamedTuple):
    """One segment: the number of its row, and where it begins and ends, in seconds."""

    row: int
    start_sec: float
    end_sec: float


def curves(times_sec: Sequence[float], values: Sequence[Sequence[float]], names: Sequence[str], end_sec: float) -> str:
    """Lines over the time of a video.

    Args:
        times_sec: of the values, ascending.
        values: of each name, one a moment.
        names: one a line, at most as many as there are colors.
        end_sec: where the video ends.
    """
    height = 140.0
    low, high = min(map(min, values)), max(map(max, values))
    wide = (high - low) or 1.0

    def place(time: float, value: float) -> str:
        return f"{_x(time, end_sec):.1f},{MARGIN + (high - value) / wide * (height - 2 * MARGIN):.1f}"

    lines = [
        f'<polyline fill="none" stroke="{color}" stroke-width="2" points="'
        f'{" ".join(place(*point) for point in zip(times_sec, line, strict=True))}"/>'
        for color, line in zip(COLORS, values, strict=False)
    ]
    scale = _text(2.0, MARGIN + 4, f"{high:.2f}") + _text(2.0, height - MARGIN + 4, f"{low:.2f}")
    legend = [_text(LEFT, height + 34 + LINE * n, name, COLORS[n]) for n, name in enumerate(names)]
    return _svg(height + 40 + LINE * len(names), [*lines, scale, _clock(height, end_sec), *legend])


def timeline(bars: Sequence[Bar], names: Sequence[str], end_sec: float) -> str:
    """Segments of a video, a row a name.

    Args:
        bars: where something happens.
        names: of the rows, at most as many as there are colors.
        end_sec: where the video ends.
    """
    row = 2 * LINE
    shapes = [
        f'<rect x="{_x(bar.start_sec, end_sec):.1f}" y="{row * bar.row + LINE:.1f}" height="12" rx="2" fill="'
        f'{COLORS[bar.row]}" width="{max(1.0, _x(bar.end_sec, end_sec) - _x(bar.start_sec, end_sec)):.1f}"/>'
        for bar in bars
    ]
    labels = [_text(LEFT, row * n + 12, name) for n, name in enumerate(names)]
    return _svg(row * len(names) + 24, [*shapes, *labels, _clock(row * len(names), end_sec)])


def _x(time_sec: float, end_sec: float) -> float:
    return LEFT + (WIDTH - LEFT - MARGIN) * min(1.0, max(0.0, time_sec / end_sec if end_sec else 0.0))


def _clock(y: float, end_sec: float) -> str:
    ticks = (end_sec * part / 4 for part in range(5))
    return "".join(
        _text(
            _x(time, end_sec),
            y + 14,
            f"{time:.1f} s",
            anchor=("start", "middle", "end")[(time > 0) + (time == end_sec > 0)],
        )
        for time in ticks
    )


def _text(x: float, y: float, text: str, color: str = "currentColor", anchor: str = "start") -> str:
    dot = f'<circle cx="{x - 10:.1f}" cy="{y - 4:.1f}" r="4" fill="{color}"/>' if color != "currentColor" else ""
    style = f'font-size="12" fill="currentColor" text-anchor="{anchor}"'
    return f'{dot}<text x="{x:.1f}" y="{y:.1f}" {style}>{escaped(text)}</text>'


def _svg(height: float, shapes: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
        f'style="max-width:{WIDTH:.0f}px;width:100%;font-family:sans-serif">{"".join(shapes)}</svg>'
    )
