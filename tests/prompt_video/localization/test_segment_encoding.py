"""Features of segments, against the temporal encoder on frames that are put together by hand."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from prompt_video.localization.segment_encoding import encode_segments
from prompt_video.model.temporal import TemporalEncoder

WIDTH = 8


@pytest.fixture
def temporal() -> TemporalEncoder:
    torch.manual_seed(0)
    temporal = TemporalEncoder(WIDTH, num_layers=2, num_heads=2, max_frames=6, position_std=0.5).double()
    with torch.no_grad():
        for weight in temporal.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return temporal


def frames_of(num_windows: int, num_frames: int) -> Tensor:
    return torch.randn(num_windows, num_frames, WIDTH, generator=torch.Generator().manual_seed(1)).double()


def spans(*windows: list[tuple[float, float]]) -> Tensor:
    return torch.tensor(windows).double()


def everything(segments: Tensor) -> Tensor:
    return torch.ones(segments.shape[:2], dtype=torch.bool)


@torch.no_grad()
def test_all_frames_of_the_window_look_at_each_other_and_those_inside_are_averaged(temporal: TemporalEncoder) -> None:
    frames, mask = frames_of(2, 10), torch.ones(2, 10, dtype=torch.bool)
    mask[1, 7:] = False
    segments = spans([(2, 5), (0, 10), (3.5, 4.25)], [(1, 3), (5, 10), (6.5, 9)])
    found = encode_segments(temporal, frames, mask, segments, everything(segments), None)
    whole = [temporal.frame_features(frames[:1], mask[:1])[0], temporal.frame_features(frames[1:, :7], mask[1:, :7])[0]]
    by_hand = [
        whole[0][2:5].mean(0),
        whole[0].mean(0),
        (0.5 * whole[0][3] + 0.25 * whole[0][4]) / 0.75,
        whole[1][1:3].mean(0),
        whole[1][5:].mean(0),
        whole[1][6],
    ]
    assert_close(found, torch.stack(by_hand), rtol=0, atol=1e-9)


def by_hand(temporal: TemporalEncoder, frames: Tensor, start: float, end: float, count: int) -> Tensor:
    """Frames of one window without padding, one place after another."""
    inside = []
    for number in range(count):
        place = start + (number + 0.5) / count * (end - start) - 0.5
        place = min(max(place, 0.0), len(frames) - 1)
        left = min(int(place), len(frames) - 2)
        inside.append((left + 1 - place) * frames[left] + (place - left) * frames[left + 1])
    encoded: Tensor = temporal(torch.stack(inside)[None], torch.ones(1, count, dtype=torch.bool))
    return encoded[0]


@pytest.mark.parametrize("count", [1, 4, 6, 9])
@torch.no_grad()
def test_frames_spread_over_the_segment_look_at_each_other(temporal: TemporalEncoder, count: int) -> None:
    frames, mask = frames_of(2, 12), torch.ones(2, 12, dtype=torch.bool)
    mask[1, 7:] = False
    segments = spans([(2, 8), (0, 12), (3.2, 3.7)], [(0, 7), (1.5, 6), (2, 2)])
    found = encode_segments(temporal, frames, mask, segments, everything(segments), count)
    expected = [
        by_hand(temporal, own, start, end, count)
        for own, of_window in zip((frames[0], frames[1, :7]), segments.tolist(), strict=True)
        for start, end in of_window
    ]
    assert_close(found, torch.stack(expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("frames_inside", [None, 4])
@torch.no_grad()
def test_neither_padding_nor_what_it_holds_changes_anything(
    temporal: TemporalEncoder, frames_inside: int | None
) -> None:
    """Also for segments that reach beyond the window, or lie outside of it."""
    (frames,) = frames_of(1, 7)
    segments = spans([(2, 6), (5, 9), (-3, 2), (-4, 20), (8, 11), (-5, -1), (6.9, 7.3)])
    alone = encode_segments(
        temporal, frames[None], torch.ones(1, 7, dtype=torch.bool), segments, everything(segments), frames_inside
    )
    assert alone.isfinite().all()
    mask = torch.arange(11) < 7
    for fill in (0.0, 5.0, float("nan")):
        padded = torch.cat([frames, torch.full((4, WIDTH), fill).double()])[None]
        found = encode_segments(temporal, padded, mask[None], segments, everything(segments), frames_inside)
        assert_close(found, alone, rtol=0, atol=1e-9)


@torch.no_grad()
def test_hidden_frames_are_not_looked_at(temporal: TemporalEncoder) -> None:
    (frames,) = frames_of(1, 8)
    mask = torch.tensor([[True, True, True, False, False, True, True, True]])
    segments = spans([(0, 8), (2, 4), (3, 5), (3.9, 4.1)])
    for frames_inside in (None, 8):
        found = [
            encode_segments(
                temporal,
                torch.where(mask[0, :, None], frames, fill)[None],
                mask,
                segments,
                everything(segments),
                frames_inside,
            )
            for fill in (0.0, float("nan"))
        ]
        assert found[0].isfinite().all()
        assert_close(*found, rtol=0, atol=0)
    # A segment that shows nothing but hidden frames: as many zeros look at each other.
    assert_close(found[0][3], temporal(torch.zeros(1, 8, WIDTH).double(), torch.ones(1, 8, dtype=torch.bool))[0])
    # Eight places over eight frames are these frames; the two that are hidden take no part.
    assert_close(found[0][0], temporal(frames[None], mask)[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("frames_inside", [None, 4])
@torch.no_grad()
def test_only_what_is_chosen_is_encoded_window_by_window(temporal: TemporalEncoder, frames_inside: int | None) -> None:
    frames, mask = frames_of(2, 9), torch.ones(2, 9, dtype=torch.bool)
    segments = spans([(0, 3), (2, 5), (4, 9)], [(1, 2), (0, 9), (3, 7)])
    chosen = torch.tensor([[False, True, True], [True, False, True]])
    found = encode_segments(temporal, frames, mask, segments, chosen, frames_inside)
    each = [
        encode_segments(
            temporal, frames[row, None], mask[:1], segments[row, None, [place]], chosen[:1, 1:2], frames_inside
        )
        for row, place in chosen.nonzero().tolist()
    ]
    assert_close(found, torch.cat(each), rtol=0, atol=1e-9)


@pytest.mark.parametrize("frames_inside", [None, 4])
def test_nothing_chosen(temporal: TemporalEncoder, frames_inside: int | None) -> None:
    frames, mask = frames_of(2, 9), torch.ones(2, 9, dtype=torch.bool)
    for segments in (spans([(0, 3)], [(1, 2)]), torch.empty(2, 0, 2).double()):
        found = encode_segments(temporal, frames, mask, segments, ~everything(segments), frames_inside)
        assert found.shape == (0, WIDTH)
        torch.autograd.backward(found.sum())
    for name, weight in temporal.named_parameters():
        assert weight.grad is not None, f"every process has a gradient of {name} to share"


def test_gradients_reach_the_encoder_and_the_frames(temporal: TemporalEncoder) -> None:
    frames = frames_of(1, 9).requires_grad_()
    segments = spans([(2, 5)])
    for frames_inside in (None, 6):
        temporal.zero_grad()
        found = encode_segments(
            temporal, frames, torch.ones(1, 9, dtype=torch.bool), segments, everything(segments), frames_inside
        )
        torch.autograd.backward(found.square().sum())
        assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in temporal.parameters())
    assert frames.grad is not None
    assert frames.grad[0, 2:5].abs().sum(-1).all()
