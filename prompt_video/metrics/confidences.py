"""What probabilities are worth: whether they come true, and whether they tell known videos from others."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torchmetrics.functional.classification import (
    binary_auroc,
    binary_calibration_error,
    binary_roc,
    binary_specificity_at_sensitivity,
)

NUM_BINS = 15
KEPT = 0.95  # of the known videos, at the false-positive rate that is told


class Bin(NamedTuple):
    """Guesses of about the same confidence.

    Args:
        confidence: mean of theirs.
        accuracy: share of them that is right.
        num_guesses: how many there are.
    """

    confidence: float
    accuracy: float
    num_guesses: int


class Separation(NamedTuple):
    """How well confidence tells known videos from others.

    Args:
        auroc: chance that a known video is more confident than another one; 0.5 is blind.
        fpr95: share of the others that are taken for known where `KEPT` of the known are kept.
    """

    auroc: float
    fpr95: float


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error: how far accuracy is from confidence, on average over guesses in `NUM_BINS` bins.

    Args:
        confidence: probability of each guess.
        right: whether it is right.
    """
    return binary_calibration_error(torch.tensor(confidence), torch.tensor(right).int(), NUM_BINS).item()


def reliability(confidence: Sequence[float], right: Sequence[bool]) -> list[Bin]:
    """The bins that have guesses, by confidence."""
    values, hits = torch.tensor(confidence), torch.tensor(right).float()
    place = torch.bucketize(values, torch.linspace(0, 1, NUM_BINS + 1)[1:-1], right=True)
    bins = (place == number for number in sorted(set(place.tolist())))
    return [Bin(values[own].mean().item(), hits[own].mean().item(), int(own.sum())) for own in bins]


def separation(known: Sequence[float], unknown: Sequence[float]) -> Separation:
    """How well confidence tells videos of the candidates from others.

    Args:
        known: confidences of videos that show a candidate, in [0, 1]; one at least.
        unknown: the same of those that show none.
    """
    preds, target = _together(known, unknown)
    specificity, _ = binary_specificity_at_sensitivity(preds, target, KEPT)
    return Separation(binary_auroc(preds, target).item(), 1 - specificity.item())


def roc(known: Sequence[float], unknown: Sequence[float]) -> list[tuple[float, float]]:
    """Shares of the others and of the known that are taken for known, at every threshold."""
    false, true, _ = binary_roc(*_together(known, unknown))
    return list(zip(false.tolist(), true.tolist(), strict=True))


def _together(known: Sequence[float], unknown: Sequence[float]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([*known, *unknown]), torch.tensor([1] * len(known) + [0] * len(unknown))
