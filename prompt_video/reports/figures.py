"""Figures of a report, each as an element of an HTML page that needs nothing else."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Int
from markupsafe import Markup

from prompt_video.reports.text_formatting import plain, shortened

# Okabe and Ito's palette: told apart by colour-blind readers too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", ":", "-.")  # beyond the palette, the colours come again
LEGEND = 44  # letters
FEW_CURVES = 3
STYLE: dict[Any, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}


def learning_curves(
    curves: Mapping[str, Sequence[tuple[int, float]]], title: str, ylabel: str, xlabel: str = "step"
) -> Markup:
    """Lines of (step, value), one for each name."""
    with _figure(5.2, 3.1) as figure:
        axes = figure.subplots()
        for index, (name, points) in enumerate(curves.items()):
            turn, place = divmod(index, len(COLORS))
            steps, values = [step for step, _ in points], [value for _, value in points]
            dashes = DASHES[turn % len(DASHES)]
            # A blank before it, since names that begin with an underscore are left out of a legend.
            axes.plot(
                steps,
                values,
                label=f" {shortened(plain(name), LEGEND)}",
                color=COLORS[place],
                linestyle=dashes,
                linewidth=1.8,
            )
        axes.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axes.grid(alpha=0.25)
        if curves:
            few = len(curves) <= FEW_CURVES  # of more, the legend would lie on them
            beside = axes.legend if few else partial(figure.legend, loc="outside lower center", ncols=2, fontsize=7.5)
            legend = beside(frameon=False)
            for text in legend.get_texts():
                text.set_parse_math(False)
        return svg(figure)


def confusion(matrix: Int[np.ndarray, "K K"], names: Sequence[str], title: str) -> Markup:
    """A confusion matrix as shares of each row (the truth)."""
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    side = 2.2 + 0.125 * len(names)
    with _figure(side, side, {"axes.spines.top": True, "axes.spines.right": True}) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=5.5)
        axes.set_yticks(range(len(names)), names, fontsize=5.5)
        axes.tick_params(length=0)
        axes.set(title=title, xlabel="predicted", ylabel="true")
        return svg(figure)


def bars(
    values: Mapping[str, float], title: str, xlabel: str, longest: float, marks: Mapping[str, float], mark: str = ""
) -> Markup:
    """One horizontal bar for each name, from the top down.

    Args:
        values: lengths, from 0 on.
        title: above.
        xlabel: below.
        longest: where the axis ends, at least.
        marks: dots to compare with, of some of the names.
        mark: what the dots are.
    """
    places = range(len(values))
    dots = {place: marks[name] for place, name in enumerate(values) if name in marks}
    with _figure(5.2, 0.8 + 0.19 * max(len(values), 3)) as figure:
        axes = figure.subplots()
        axes.barh(places, list(values.values()), color=COLORS[0], height=0.7)
        if dots:
            axes.scatter(
                list(dots.values()), list(dots), color=COLORS[1], s=26, edgecolors="white", label=mark, zorder=3
            )
            figure.legend(frameon=False, loc="outside upper right", fontsize=8)
        names = [shortened(plain(name), 40) for name in values]
        axes.set_yticks(places, names, fontsize=7.5, parse_math=False)
        right = 1.04 * max(longest, *dots.values(), *values.values())
        axes.set(xlim=(0, right or 1), ylim=(len(values) - 0.4, -0.6), xlabel=xlabel)
        axes.set_title(shortened(plain(title), LEGEND), parse_math=False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", alpha=0.25)
        return svg(figure)


@contextmanager
def _figure(width: float, height: float, style: Mapping[Any, Any] = MappingProxyType({})) -> Iterator[Any]:
    """An empty figure, in inches, and our style (with changes of it) while it is drawn."""
    # Imported late: half a second, for the few runs that draw.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, **style}):
        yield Figure(figsize=(width, height), layout="constrained")


def svg(figure: Any) -> Markup:  # noqa: ANN401 - matplotlib is imported late
    """A figure as an element of a page; matplotlib has escaped its texts."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return Markup(text[text.index("<svg") :])
