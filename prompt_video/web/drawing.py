"""What the page shows of an answer, as HTML in the colours of the page."""

from collections.abc import Sequence

from prompt_video.inference.results import FoundSegments, Ranked, SimilarityCurve
from prompt_video.io.readable import escaped
from prompt_video.reports.figures import COLORS
from prompt_video.reports.text_formatting import clock, plain, shortened

MANY = 10  # texts or segments that are shown; of more, how many there are
LINES = len(COLORS)  # texts whose similarity is drawn
LONG = 120  # letters of a text
SHORT_SEC = 20.0
WIDTH, HEIGHT, MARGIN = 1000, 190, 8

STYLE = """
.pv { font-size: .95rem; } .pv table { width: 100%; border-collapse: collapse; border: 0 !important; }
.pv tr { border: 0 !important; border-bottom: 1px solid var(--border-color-primary) !important; }
.pv td, .pv th { padding: .35rem .5rem; text-align: left; border: 0 !important; }
.pv th, .pv .note { opacity: .75; font-weight: 600; } .pv .note { font-weight: 400; }
.pv .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.pv .bar { height: .55rem; border-radius: 3px; background: #0072B2; min-width: 2px; }
.pv .track { width: 34%; } .pv .text { overflow-wrap: anywhere; }
.pv .note { margin: .4rem 0; }
.pv svg { width: 100%; height: auto; display: block; }
.pv svg text { fill: var(--body-text-color); opacity: .75; font-size: 22px; }
.pv svg line { stroke: var(--border-color-primary); }
.pv .key { display: inline-block; width: 1.1rem; height: .25rem; vertical-align: middle; margin-right: .35rem; }
.pv .legend span { margin-right: 1.1rem; overflow-wrap: anywhere; }
"""


def ranking(ranked: Sequence[Ranked], total: int) -> str:
    """Bars of probability, best first.

    Args:
        ranked: the best texts.
        total: how many texts there are.
    """
    rows = "".join(
        f'<tr><td class="text">{_text(one.text)}</td>'
        f'<td class="track"><div class="bar" style="width:{100 * one.probability:.1f}%"></div></td>'
        f'<td class="number">{one.probability:.1%}</td><td class="number">{one.similarity:.3f}</td></tr>'
        for one in ranked
    )
    rest = f'<p class="note">{total - len(ranked):,} more are less likely.</p>' if total > len(ranked) else ""
    head = '<tr><th></th><th></th><th class="number">share</th><th class="number">cosine</th></tr>'
    return f'<div class="pv" id="ranking"><table>{head}{rows}</table>{rest}</div>'


def curve(found: SimilarityCurve, texts: Sequence[str]) -> str:
    """Similarity over time, as wide as the player above it.

    Args:
        found: of all texts.
        texts: those to draw.
    """
    places = [found.texts.index(text) for text in texts[:LINES]]
    values = found.similarity[:, places]
    low, high = values.min().item(), values.max().item()
    span = max(high - low, 1e-3)
    scale = WIDTH / max(found.duration_sec, 1e-3)
    times = (found.times_sec * scale).tolist()
    lines = []
    for number in range(len(places)):
        heights = ((1 - (values[:, number] - low) / span) * (HEIGHT - 2 * MARGIN) + MARGIN).tolist()
        points = list(zip(times, heights, strict=True))
        points = [(found.start_sec * scale, points[0][1]), *points, (float(WIDTH), points[-1][1])]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{COLORS[number]}" stroke-width="4"/>')
    ticks = "".join(
        f'<text x="{WIDTH * part / 4:.0f}" y="{HEIGHT + 26}" text-anchor="{anchor}">'
        f"{_tick(found.duration_sec * part / 4, found.duration_sec)}</text>"
        for part, anchor in enumerate(("start", "middle", "middle", "middle", "end"))
    )
    keys = "".join(
        f'<span><i class="key" style="background:{COLORS[number]}"></i>{_text(found.texts[place])}</span>'
        for number, place in enumerate(places)
    )
    more = f" of the {len(places)} best texts" if len(found.texts) > len(places) else ""
    return (
        f'<div class="pv" id="curve"><svg viewBox="0 0 {WIDTH} {HEIGHT + 34}" role="img" aria-label="similarity over '
        f'time"><line x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>{"".join(lines)}{ticks}</svg>'
        f'<p class="legend">{keys}</p><p class="note">Similarity over time{more}, from {low:.2f} to {high:.2f}, in '
        f"spans of {found.span_sec:.1f} s.</p></div>"
    )


def segments(found: FoundSegments) -> str:
    """What happens when, in the order of the video."""
    shown = sorted(found.segments[:MANY], key=lambda one: one.start_sec)
    head = '<tr><th class="number">from</th><th class="number">to</th><th></th><th class="number">score</th></tr>'
    rows = "".join(
        f'<tr><td class="number">{_seconds(one.start_sec)}</td><td class="number">{_seconds(one.end_sec)}</td>'
        f'<td class="text">{_text(one.label)}</td><td class="number">{one.score:.2f}</td></tr>'
        for one in shown
    )
    rest = len(found.segments) - len(shown)
    more = f" {rest:,} more have a lower score." if rest else ""
    table = f"<table>{head}{rows}</table>" if shown else "<p>Nothing was found.</p>"
    return f'<div class="pv" id="segments">{table}<p class="note">Segments are {found.describe()}{more}</p></div>'


def _tick(seconds: float, duration_sec: float) -> str:
    """A place of the time axis; of a short video with tenths, lest two of them read alike."""
    return clock(seconds) if duration_sec >= SHORT_SEC else f"{seconds:.1f} s"


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes):02d}:{rest:04.1f}"


def _text(text: str) -> str:
    return escaped(shortened(plain(text), LONG))
