"""That thinning out window by window, sparsely, gives what everything at once gives."""

import pytest
import torch

from prompt_video.inference.detecting import _Likely
from prompt_video.localization.suppression import Suppression


@pytest.mark.parametrize("method", ["soft", "hard"])
@pytest.mark.parametrize("at_most", [5, 200])
def test_the_likely_ones_are_enough(method: str, at_most: int) -> None:
    chance = torch.Generator().manual_seed(0)
    suppression = Suppression(method=method, max_detections=at_most)  # type: ignore[arg-type]
    kept = _Likely(40, suppression)
    segments, scores = [], []
    for _ in range(6):
        start = torch.rand(30, 1, generator=chance) * 100
        segments.append(torch.cat([start, start + torch.rand(30, 1, generator=chance) * 20], dim=-1))
        probabilities = (torch.randn(30, 40, generator=chance) * 4).softmax(-1)
        scores.append(torch.rand(30, 1, generator=chance) * probabilities)
        kept.add(segments[-1], scores[-1])
    expected = suppression.keep(torch.cat(segments), torch.cat(scores))
    found = kept.detections()
    assert torch.equal(found.labels, expected.labels)
    assert torch.equal(found.segments_sec, expected.segments_sec)
    assert torch.equal(found.scores, expected.scores)


def test_nothing_likely_is_nothing_found() -> None:
    kept = _Likely(3, Suppression())
    kept.add(torch.rand(4, 2), torch.zeros(4, 3))
    assert len(kept.detections().scores) == 0
