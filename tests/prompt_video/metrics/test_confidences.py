import numpy as np
import pytest
import torch

from prompt_video.metrics.confidences import NUM_BINS, calibration_error, reliability, roc, separation


def plain_error(confidence: list[float], right: list[bool]) -> float:
    """Bin by bin, as Guo et al. write it."""
    total = 0.0
    for number in range(NUM_BINS):
        low, high = number / NUM_BINS, (number + 1) / NUM_BINS
        own = [(c, r) for c, r in zip(confidence, right, strict=True) if low <= c < high]
        if own:
            accuracy, sure = sum(r for _, r in own) / len(own), sum(c for c, _ in own) / len(own)
            total += len(own) / len(confidence) * abs(accuracy - sure)
    return total


def test_calibration_error_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0, 1, 300).tolist()
    right = (rng.uniform(0, 1, 300) < np.square(confidence)).tolist()
    assert calibration_error(confidence, right) == pytest.approx(plain_error(confidence, right), abs=1e-6)
    bins = reliability(confidence, right)
    assert sum(one.num_guesses for one in bins) == 300
    of_bins = sum(one.num_guesses / 300 * abs(one.accuracy - one.confidence) for one in bins)
    assert of_bins == pytest.approx(plain_error(confidence, right), abs=1e-6)


def test_calibration_error_in_exact_cases() -> None:
    assert calibration_error([1.0, 1.0], [True, True]) == 0
    assert calibration_error([1.0, 1.0], [False, False]) == 1
    assert calibration_error([0.5, 0.5], [True, False]) == 0
    assert reliability([0.99], [False])[0][1:] == (0.0, 1)


def brute_force(known: list[float], unknown: list[float]) -> tuple[float, float]:
    """Every pair; every threshold that keeps 95 %."""
    auroc = np.mean([(k > u) + 0.5 * (k == u) for k in known for u in unknown])
    rates = [
        np.mean([u >= threshold for u in unknown])
        for threshold in {*known, *unknown}
        if np.mean([k >= threshold for k in known]) >= 0.95
    ]
    return float(auroc), float(min(rates))


def test_separation_is_that_of_every_pair_and_threshold() -> None:
    torch.manual_seed(0)
    for digits in (1, 6):  # with ties and without
        for _ in range(5):
            known = (torch.rand(40) * 0.7 + 0.3).round(decimals=digits).tolist()
            unknown = (torch.rand(30) * 0.8).round(decimals=digits).tolist()
            assert separation(known, unknown) == pytest.approx(brute_force(known, unknown), abs=1e-6)


def test_separation_in_exact_cases() -> None:
    assert separation([0.9, 0.8], [0.1]) == (1.0, 0.0)
    assert separation([0.1], [0.9]) == (0.0, 1.0)
    assert separation([0.5], [0.5]) == (0.5, 1.0)


def test_the_curve_leads_from_nothing_to_all() -> None:
    curve = roc([0.9, 0.4], [0.5, 0.1])
    assert curve[0] == (0, 0)
    assert curve[-1] == (1, 1)
    assert (0.5, 0.5) in curve
