"""Learning curves, from the metrics that a run has logged."""

import csv
import math
import re
from collections.abc import Sequence
from statistics import mean

from prompt_video.reports.comparison.runs import Run

# The first that a run has is drawn, beside its training loss.
VALIDATED = (
    "val/top1",
    "val/map",
    "val/hm",
    "val/clip_only/map_avg",
    "val/t2v/r@1",
    "val/loss",
    "train/top1",
    "train/r@1",
)

Curve = list[tuple[int, float]]


def curves(run: Run) -> dict[str, Curve]:
    """(step, value) of each figure that was logged more than once; a run that was resumed has several logs.

    Raises:
        ValueError: when a log is damaged; the message names the file.
    """
    points: dict[str, dict[int, float]] = {}
    for path in sorted(run.folder.glob("logs*/metrics.csv"), key=_number):
        try:
            with path.open(newline="", encoding="utf-8") as file:
                for line in csv.DictReader(file):
                    step = int(line["step"])
                    for name, value in line.items():
                        if value and name not in ("step", "epoch") and math.isfinite(float(value)):
                            points.setdefault(name, {})[step] = float(value)
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"{path} is damaged: its curves are not shown") from error
    return {name: sorted(own.items()) for name, own in points.items() if len(own) > 1}


def validated(logged: Sequence[dict[str, Curve]]) -> str | None:
    """The figure to draw of several runs: the first that any of them has."""
    return next((name for name in VALIDATED if any(name in curves for curves in logged)), None)


def smoothed(curve: Curve) -> Curve:
    """The mean of each value and its neighbours, as many as an epoch and its small last batch take; in all a tenth.

    Batches of other sizes have other losses, above all in retrieval, where a caption has as many rivals as its batch.
    """
    reach = min(max(2, len(curve) // 20), (len(curve) - 1) // 2)
    windows = (curve[max(0, place - reach) : place + reach + 1] for place in range(len(curve)))
    return [(step, mean(value for _, value in own)) for (step, _), own in zip(curve, windows, strict=True)]


def _number(path: object) -> list[int]:
    return [int(number) for number in re.findall(r"logs_?(\d*)/metrics", str(path).replace("\\", "/")) if number]
