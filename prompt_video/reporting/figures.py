"""Figures of a report, each as a string that stands in an HTML page by itself."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Int, UInt8
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

# Okabe and Ito's palette: told apart by colour-blind readers too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_STYLE: dict[Any, Any] = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "svg.fonttype": "none"}


def learning_curves(curves: Mapping[str, Sequence[tuple[int, float]]], title: str, ylabel: str) -> str:
    """Lines of (step, value), one for each name."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 3.1), layout="constrained")
        axes = figure.subplots()
        for color, (name, points) in zip(COLORS, curves.items(), strict=False):
            steps, values = zip(*points, strict=True)
            axes.plot(steps, values, label=name, color=color, linewidth=1.8)
        axes.set(title=title, xlabel="step", ylabel=ylabel)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)
        return _svg(figure)


def confusion(matrix: Int[np.ndarray, "K K"], names: Sequence[str], title: str) -> str:
    """A confusion matrix as shares of each row (the truth)."""
    shares = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    with mpl.rc_context({**_STYLE, "axes.spines.top": True, "axes.spines.right": True}):
        side = 2.2 + 0.125 * len(names)
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=5.5)
        axes.set_yticks(range(len(names)), names, fontsize=5.5)
        axes.tick_params(length=0)
        axes.set(title=title, xlabel="predicted", ylabel="true")
        return _svg(figure)


def film_strip(frames: UInt8[Tensor, "T 3 H W"]) -> str:
    """Frames side by side as a PNG data URI."""
    strip = frames.permute(2, 0, 3, 1).flatten(1, 2).numpy()  # (H, T * W, 3)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(strip)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
