"""Probabilities that mean something: a temperature that is fitted on videos which training did not see.

Scores are divided by it before the softmax. No class overtakes another, so that figures such as accuracy stay.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_modules.errors import InputError
from prompt_video.model.kept_settings import check_settings

MOST = 1000.0  # that scores are divided or multiplied by
STEPS = 60  # of a bisection


@dataclass(frozen=True)
class Calibration:
    """What probabilities are made with.

    Args:
        temperature: that scores are divided by, beside the model's own; 1 leaves them.
        num_videos: held out of training, that it was fitted on; 0: it was not fitted.

    Raises:
        InputError: when the temperature is outside its range.

    Source: Guo et al., On Calibration of Modern Neural Networks (ICML 2017), section 4.2.
    """

    temperature: float = 1.0
    num_videos: int = 0

    def __post_init__(self) -> None:
        if not 1 / MOST <= self.temperature <= MOST:
            raise InputError(f"calibration.temperature must be from {1 / MOST:g} to {MOST:g}, not {self.temperature}.")

    def apply(self, probabilities: Float[Tensor, "B K"]) -> Float[Tensor, "B K"]:
        """Probabilities of the same order, that sum to 1; of one view they are those of the divided scores.

        Of several views the mean is changed, not each of them, which could bring another class to the top.
        """
        if self.temperature == 1:
            return probabilities
        return (logarithms(probabilities) / self.temperature).softmax(-1)

    def describe(self) -> str:
        """In words."""
        if not self.num_videos:
            return "probabilities are not calibrated: no temperature was fitted (--fit_temperature true)"
        return (
            f"probabilities at {self.temperature:.3g} times the temperature of training, fitted on {self.num_videos} "
            "videos that were held out of training"
        )

    def state(self) -> dict[str, Any]:
        """All of it, ready for JSON and for a checkpoint."""
        return asdict(self)

    @classmethod
    def of(cls, state: object) -> "Calibration":
        """From its `state`; where there is none, what changes nothing.

        Raises:
            InputError: when it cannot be so.
        """
        return cls(**check_settings(cls, state or {}, "calibration"))


def logarithms(probabilities: Float[Tensor, "*B K"]) -> Float[Tensor, "*B K"]:
    """Of probabilities, none of which is 0."""
    return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()


def fit_temperature(parts: Sequence[tuple[Float[Tensor, "_ _"], Int[Tensor, " _"]]]) -> Calibration:
    """The temperature of the highest likelihood.

    A few videos are often all named rightly, at which likelihood would grow as the temperature falls to 0. So each
    counts as of its class by (N + 1) / (N + 2), and the rest is shared out over the others.

    Args:
        parts: probabilities of videos that training did not see, and their classes; each among candidates of its own.

    Raises:
        InputError: when there is no video or only one class.

    Source: of the shares, Platt, Probabilistic Outputs for Support Vector Machines (1999), section 2.2.
    """
    count = sum(len(target) for _, target in parts)
    if not count:
        raise InputError("there is no video to fit a temperature on; hold some out of training.")
    if min(own.shape[1] for own, _ in parts) < 2:
        raise InputError("a temperature cannot be fitted to one class, whose probability is always 1.")
    scored = [
        (logarithms(probabilities.double()), _wanted(probabilities, target, count)) for probabilities, target in parts
    ]
    low, high = -math.log(MOST), math.log(MOST)  # of the factor, in which the loss is convex
    for _ in range(STEPS):
        middle = (low + high) / 2
        factor = math.exp(middle)
        slope = sum(((((scores * factor).softmax(-1) - wanted) * scores).sum() for scores, wanted in scored), start=0.0)
        low, high = (low, middle) if slope > 0 else (middle, high)
    return Calibration(math.exp(-(low + high) / 2), count)


def _wanted(probabilities: Float[Tensor, "N K"], target: Int[Tensor, " N"], count: int) -> Float[Tensor, "N K"]:
    """The shares that each video counts as of each class by, in double precision."""
    rest = 1 / (count + 2) / (probabilities.shape[1] - 1)
    wanted = torch.full_like(probabilities, rest, dtype=torch.float64)
    return wanted.scatter_(1, target[:, None], (count + 1) / (count + 2))
