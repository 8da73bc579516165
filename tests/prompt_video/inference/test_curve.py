"""Segments from a similarity curve that is written by hand."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from prompt_video.inference.curve import presence, segments_of, smoothed
from prompt_video.inference.results import SimilarityCurve


def curve(similarity: Tensor, step: float = 1.0) -> SimilarityCurve:
    count, texts = similarity.shape
    times = (torch.arange(count) + 0.5) * step
    names = tuple(f"text {k}" for k in range(texts))
    return SimilarityCurve(Path("video.mp4"), names, times, similarity, 0.01, step, count * step)


def test_an_action_that_stands_out_is_found_where_it_is() -> None:
    similarity = torch.full((60, 2), 0.2)
    similarity[20:30, 0] = 0.3
    similarity[40:55, 1] = 0.3
    found = sorted(segments_of(curve(similarity)), key=lambda one: one.start_sec)
    assert [one.label for one in found] == ["text 0", "text 1"]
    assert (found[0].start_sec, found[0].end_sec) == pytest.approx((20, 30), abs=1)
    assert (found[1].start_sec, found[1].end_sec) == pytest.approx((40, 55), abs=1)


def test_a_single_text_has_ups_and_downs() -> None:
    similarity = torch.full((60, 1), 0.2)
    similarity[10:20] = 0.3
    (found,) = segments_of(curve(similarity))
    assert (found.start_sec, found.end_sec) == pytest.approx((10, 20), abs=1)


def test_one_moment_is_one_segment() -> None:
    (found, *_) = segments_of(curve(torch.tensor([[0.3, 0.2]]), step=2.0))
    assert (found.label, found.start_sec, found.end_sec) == ("text 0", 0.0, 2.0)


def test_smoothing_is_a_mean_that_knows_the_ends() -> None:
    values = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
    by_hand = torch.stack([values[max(0, n - 2) : n + 3].mean(0) for n in range(20)])
    assert torch.allclose(smoothed(values, 5), by_hand)


def test_presence_leaves_room_for_nothing() -> None:
    values = presence(curve(torch.rand(30, 4, generator=torch.Generator().manual_seed(0)) / 10))
    assert values.sum(-1).max() < 1
    assert values.min() > 0


def test_limits_are_kept() -> None:
    similarity = torch.full((200, 1), 0.2)
    for start in range(5, 195, 20):
        similarity[start : start + 8] = 0.3
    assert len(segments_of(curve(similarity))) == 10
    assert len(segments_of(curve(similarity), max_segments=3)) == 3
    assert segments_of(curve(similarity), min_score=0.9999999) == []
