"""How sure the mean over trials is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev


@dataclass(frozen=True)
class Confidence:
    """A figure over several trials.

    Args:
        mean: of the trials.
        std: sample standard deviation, with n - 1; None for one trial.
        half_width: the confidence interval is ``mean`` plus and minus this; None for one trial.
        num_trials: how many.
    """

    mean: float
    std: float | None
    half_width: float | None
    num_trials: int


def confidence(values: Sequence[float], level: float = 0.95) -> Confidence:
    """Mean, spread and confidence interval of a figure.

    The interval is Student's t, ``t * std / sqrt(n)``, right for few trials too. Papers on few-shot learning take 1.96
    for t, which at 200 trials is 0.6 % narrower (t = 1.972).

    Args:
        values: one a trial; at least one.
        level: the chance that such an interval covers the true mean.
    """
    count = len(values)
    if count == 1:
        return Confidence(values[0], None, None, 1)
    std = stdev(values)
    return Confidence(mean(values), std, t_quantile(count - 1, level) * std / math.sqrt(count), count)


def t_quantile(degrees: int, level: float) -> float:
    """The t that Student's variable stays within, on both sides of zero, with a probability of ``level``."""
    low, high = 0.0, math.pi / 2
    while True:  # bisection of atan(t / sqrt(degrees)), down to the last bit
        middle = (low + high) / 2
        if middle in (low, high):
            return math.tan(middle) * math.sqrt(degrees)
        low, high = (middle, high) if _within(degrees, middle) < level else (low, middle)


def _within(degrees: int, angle: float) -> float:
    """Probability that ``|t| < sqrt(degrees) * tan(angle)``.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 (odd) and 26.7.4 (even).
    """
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(1 + odd, degrees, 2):
        total += term
        term *= k / (k + 1) * math.cos(angle) ** 2
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
