import json
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.model.calibration import Calibration, fit_temperature


def loss(scores: Tensor, target: Tensor, temperature: float) -> float:
    """Of the divided scores, with Platt's shares, in a plain loop."""
    count, classes = scores.shape
    total = 0.0
    for row, truth in zip(scores.tolist(), target.tolist(), strict=True):
        divided = [score / temperature for score in row]
        norm = math.log(sum(math.exp(score) for score in divided))
        for k, score in enumerate(divided):
            share = (count + 1) / (count + 2) if k == truth else 1 / (count + 2) / (classes - 1)
            total -= share * (score - norm)
    return total


@pytest.mark.parametrize("scale", [0.2, 1.0, 6.0])
def test_no_other_temperature_is_likelier(scale: float) -> None:
    torch.manual_seed(0)
    target = torch.randint(5, (40,))
    scores = (torch.randn(40, 5) + 1.5 * F.one_hot(target, 5)) * scale
    fitted = fit_temperature([(scores.softmax(-1), target)])
    assert fitted.num_videos == 40
    best = loss(scores, target, fitted.temperature)
    assert all(best <= loss(scores, target, fitted.temperature * factor) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2))


def test_finds_the_temperature_that_labels_were_drawn_at() -> None:
    torch.manual_seed(0)
    scores = torch.randn(20_000, 4) * 2
    target = torch.multinomial((scores / 2.5).softmax(-1), 1).flatten()
    assert fit_temperature([(scores.softmax(-1), target)]).temperature == pytest.approx(2.5, rel=0.05)


def test_videos_that_are_all_named_rightly_keep_it_finite() -> None:
    one_hot = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    fitted = fit_temperature([(one_hot, torch.tensor([0, 1]))])
    # Two videos, each of its class by 3 / 4: the odds of 9 become those of 3.
    assert fitted.temperature == pytest.approx(math.log(9) / math.log(3), rel=1e-6)
    torch.testing.assert_close(fitted.apply(one_hot), torch.tensor([[0.75, 0.25], [0.25, 0.75]]))


def test_divides_scores_and_changes_no_order() -> None:
    scores = torch.randn(6, 5) * 3
    probabilities = scores.softmax(-1)
    torch.testing.assert_close(Calibration(2.0, 1).apply(probabilities), (scores / 2).softmax(-1))
    assert Calibration().apply(probabilities) is probabilities
    for temperature in (0.3, 4.0):
        changed = Calibration(temperature, 1).apply(probabilities)
        assert (changed.argsort(-1) == probabilities.argsort(-1)).all()


def test_a_probability_of_zero_stays_finite() -> None:
    changed = Calibration(3.0, 1).apply(torch.tensor([[1.0, 0.0]]))
    assert changed.isfinite().all()
    assert changed[0, 0] > 0.999
    certain = torch.tensor([[1.0, 0.0]] * 3)
    assert math.isfinite(fit_temperature([(certain, torch.tensor([0, 0, 1]))]).temperature)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="there is no video"):
        fit_temperature([(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))])
    with pytest.raises(InputError, match="one class"):
        fit_temperature([(torch.ones(2, 1), torch.zeros(2, dtype=torch.long))])
    for temperature in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match=r"calibration\.temperature"):
            Calibration(temperature)


def test_comes_back_from_json() -> None:
    fitted = Calibration(1.7, 12)
    assert Calibration.of(json.loads(json.dumps(fitted.state()))) == fitted
    assert Calibration.of(None) == Calibration()
    with pytest.raises(InputError):
        Calibration.of({"temperature": "hot"})


def test_parts_with_candidates_of_their_own_are_fitted_together() -> None:
    torch.manual_seed(0)
    scores, target = torch.randn(30, 5) * 3, torch.randint(5, (30,))
    whole = fit_temperature([(scores.softmax(-1), target)])
    halves = [(scores[:10].softmax(-1), target[:10]), (scores[10:].softmax(-1), target[10:])]
    assert fit_temperature(halves) == whole
    wide = torch.cat([scores[:10], torch.full((10, 2), -1e9)], dim=1)  # candidates that nothing is taken for
    other = fit_temperature([(wide.softmax(-1), target[:10]), halves[1]])
    assert other.num_videos == 30
