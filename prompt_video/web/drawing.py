"""What the page shows of an answer, as HTML in the colours of the page."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from markupsafe import Markup

from prompt_video.inference.results import Ranked, SimilarityCurve, VideoSegments
from prompt_video.io.templates import render
from prompt_video.reports.figures import COLORS
from prompt_video.reports.text_formatting import clock, plain, shortened

MANY = 10  # texts or segments that are shown; of more, how many there are
LINES = len(COLORS)  # texts whose similarity is drawn
LONG = 120  # letters of a text
SHORT_SEC = 20.0
WIDTH, HEIGHT, MARGIN = 1000, 190, 8
STYLE = Path(__file__).with_name("style.css")


def ranking(ranked: Sequence[Ranked], total: int) -> Markup:
    """Bars of probability, best first.

    Args:
        ranked: the best texts.
        total: how many texts there are.
    """
    return render("web/ranking.html.jinja", ranked=ranked, num_more=total - len(ranked), short=_short)


def curve(similarity: SimilarityCurve, texts: Sequence[str]) -> Markup:
    """Similarity over time, as wide as the player above it.

    Args:
        similarity: of all texts.
        texts: those to draw.
    """
    drawn = texts[:LINES]
    values = similarity.similarity[:, [similarity.texts.index(text) for text in drawn]]
    low, high = values.min().item(), values.max().item()
    scale = WIDTH / max(similarity.duration_sec, 1e-3)
    times = (similarity.times_sec * scale).tolist()
    lines = []
    for text, color, of_text in zip(drawn, COLORS, values.T, strict=False):
        heights = ((1 - (of_text - low) / max(high - low, 1e-3)) * (HEIGHT - 2 * MARGIN) + MARGIN).tolist()
        points = list(zip(times, heights, strict=True))
        points = [(similarity.start_sec * scale, points[0][1]), *points, (float(WIDTH), points[-1][1])]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append({"points": path, "color": color, "text": _short(text)})
    return render(
        "web/curve.html.jinja",
        lines=lines,
        ticks=_ticks(similarity.duration_sec),
        width=WIDTH,
        height=HEIGHT,
        low=low,
        high=high,
        num_texts=len(similarity.texts),
        span_sec=similarity.span_sec,
    )


def segments(result: VideoSegments) -> Markup:
    """What happens when, in the order of the video."""
    best = result.segments[:MANY]
    return render(
        "web/segments.html.jinja",
        detections=sorted(best, key=lambda one: one.start_sec),
        description=result.describe(),
        num_more=len(result.segments) - len(best),
        seconds=partial(clock, tenths=True),
        short=_short,
    )


def _ticks(duration_sec: float) -> list[dict[str, object]]:
    """Places of the time axis; of a short video with tenths, lest two of them read alike."""
    ticks: list[dict[str, object]] = []
    for part, anchor in enumerate(("start", "middle", "middle", "middle", "end")):
        seconds = duration_sec * part / 4
        text = clock(seconds) if duration_sec >= SHORT_SEC else f"{seconds:.1f} s"
        ticks.append({"x": f"{WIDTH * part / 4:.0f}", "anchor": anchor, "text": text})
    return ticks


def _short(text: str) -> str:
    return shortened(plain(text), LONG)
