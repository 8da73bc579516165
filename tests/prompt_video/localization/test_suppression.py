import itertools
import math
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from data_modules.annotations.activitynet_format import Detection
from data_modules.errors import InputError
from prompt_video.localization.suppression import Candidates, Suppression, VideoDetections

SEGMENTS = torch.tensor([[0.0, 10.0], [1.0, 11.0], [20.0, 30.0]])  # the first two overlap by 9 / 11


def as_rows(kept: VideoDetections) -> list[tuple[int, list[float], float]]:
    return list(zip(kept.labels.tolist(), kept.segments_sec.tolist(), kept.scores.tolist(), strict=True))


def test_soft_lowers_what_overlaps_with_something_better() -> None:
    kept = Suppression("soft", sigma=0.5).keep(SEGMENTS, torch.tensor([[0.75], [0.5], [0.25]]))
    lowered = 0.5 * math.exp(-((9 / 11) ** 2) / 0.5)
    assert kept.segments_sec.tolist() == [[0, 10], [20, 30], [1, 11]]
    assert_close(kept.scores, torch.tensor([0.75, 0.25, lowered]))


def test_hard_drops_it() -> None:
    scores = torch.tensor([[0.75], [0.5], [0.25]])
    assert Suppression("hard", threshold=0.8).keep(SEGMENTS, scores).segments_sec.tolist() == [[0, 10], [20, 30]]
    assert len(Suppression("hard", threshold=0.9).keep(SEGMENTS, scores).scores) == 3


@pytest.mark.parametrize("method", ["soft", "hard"])
def test_one_moment_may_have_several_labels(method: Any) -> None:  # noqa: ANN401 - one of the two
    kept = Suppression(method, threshold=0.5).keep(SEGMENTS[:2], torch.tensor([[0.75, 0.5, 0.125], [0.25, 0.0, 0.625]]))
    best = {label: (segment, score) for label, segment, score in reversed(as_rows(kept))}
    assert best == {0: ([0, 10], 0.75), 1: ([0, 10], 0.5), 2: ([1, 11], 0.625)}


@pytest.mark.parametrize("method", ["soft", "hard"])
def test_low_scores_go_and_the_best_stay(method: Any) -> None:  # noqa: ANN401
    segments = torch.tensor([[10.0 * i, 10.0 * i + 5] for i in range(20)])
    scores = torch.linspace(0.05, 1, 20)[:, None] * torch.tensor([[1.0, 0.5]])
    kept = Suppression(method, min_score=0.3, max_detections=8).keep(segments, scores)
    assert_close(kept.scores, scores.flatten().sort(descending=True).values[:8])
    every = Suppression(method, min_score=0.3, max_detections=100).keep(segments, scores)
    assert len(every.scores) == int((scores >= 0.3).sum())
    assert (every.scores[:-1] >= every.scores[1:]).all()


@pytest.mark.parametrize("method", ["soft", "hard"])
def test_of_no_proposals_nothing_is_left(method: Any) -> None:  # noqa: ANN401
    assert as_rows(Suppression(method).keep(torch.empty(0, 2), torch.empty(0, 3))) == []


def test_the_order_of_proposals_does_not_matter() -> None:
    """Windows of a video are put together in the order in which they come."""
    generator = torch.Generator().manual_seed(0)
    segments = (torch.rand(6, 2, generator=generator) * 30).sort(-1).values
    scores = torch.rand(6, 4, generator=generator)
    for method in ("soft", "hard"):
        suppression = Suppression(method)
        reference = as_rows(suppression.keep(segments, scores))
        for order in itertools.islice(itertools.permutations(range(6)), 0, 720, 37):
            assert as_rows(suppression.keep(segments[list(order)], scores[list(order)])) == reference


def test_names_in_the_place_of_numbers() -> None:
    kept = VideoDetections(SEGMENTS[:2], torch.tensor([0.5, 0.25]), torch.tensor([1, 0]))
    assert kept.named(("dive", "jump")) == (Detection("jump", 0.0, 10.0, 0.5), Detection("dive", 1.0, 11.0, 0.25))


def test_candidates_of_several_windows_and_back() -> None:
    found = Candidates(SEGMENTS, torch.rand(3), torch.rand(3, 2), torch.rand(3, 2))
    parts = found.by_window([1, 0, 2])
    assert [len(part.confidence) for part in parts] == [1, 0, 2]
    for column, joined in zip(found, Candidates.joined(parts), strict=True):
        assert torch.equal(column, joined)


@pytest.mark.parametrize(
    "options",
    [{"sigma": 0.0}, {"threshold": 1.5}, {"min_score": 1.0}, {"min_score": -0.1}, {"max_detections": 0}],
)
def test_impossible_settings_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="suppression: sigma must be greater than 0"):
        Suppression(**options)
