"""Student's t against printed tables, and intervals by hand."""

import math

import pytest

from prompt_video.trials.confidence import confidence, t_quantile


@pytest.mark.parametrize(
    ("degrees", "level", "wanted"),
    [
        # NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2: two-sided, so 0.975 there is 0.95 here.
        (1, 0.95, 12.706),
        (2, 0.95, 4.303),
        (3, 0.95, 3.182),
        (4, 0.95, 2.776),
        (9, 0.95, 2.262),
        (10, 0.95, 2.228),
        (30, 0.95, 2.042),
        (100, 0.95, 1.984),
        (5, 0.99, 4.032),
        (20, 0.90, 1.725),
    ],
)
def test_printed_values(degrees: int, level: float, wanted: float) -> None:
    assert t_quantile(degrees, level) == pytest.approx(wanted, abs=5e-4)


def test_values_in_closed_form() -> None:
    """For one and two degrees of freedom the quantile can be written down."""
    assert t_quantile(1, 0.95) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-12)
    assert t_quantile(2, 0.95) == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), rel=1e-12)


def test_many_trials_come_near_the_normal_distribution() -> None:
    assert t_quantile(199, 0.95) == pytest.approx(1.97196, abs=1e-5)
    assert t_quantile(20_000, 0.95) == pytest.approx(1.960, abs=2e-4)


def test_interval() -> None:
    found = confidence([1.0, 2.0, 3.0, 4.0])
    assert (found.mean, found.num_trials) == (2.5, 4)
    assert found.std == pytest.approx(math.sqrt(5 / 3))
    assert found.half_width == pytest.approx(3.1824463 * math.sqrt(5 / 3) / 2)


def test_one_trial_has_no_interval() -> None:
    found = confidence([0.5])
    assert (found.mean, found.std, found.half_width) == (0.5, None, None)
