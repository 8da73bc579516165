import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from prompt_video.localization import segments as seg


def random_segments(count: int, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> Tensor:
    """On a coarse grid, so that overlaps are equal, complete or none; a few are empty."""
    start = torch.randint(0, 30, (count, 1), generator=generator)
    return torch.cat([start, start + torch.randint(0, 8, (count, 1), generator=generator)], 1).to(dtype)


def iou(one: list[float], other: list[float]) -> float:
    inter = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    return inter / (one[1] - one[0] + other[1] - other[0] - inter) if inter else 0.0


def test_temporal_iou_against_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = random_segments(40, generator), random_segments(30, generator)
    expected = [[iou(one, other) for other in second.tolist()] for one in first.tolist()]
    assert_close(seg.temporal_iou(first.unsqueeze(1), second), torch.tensor(expected, dtype=torch.float64))


def test_temporal_iou_of_empty_and_reversed_segments_is_zero() -> None:
    first = torch.tensor([[1.0, 1.0], [5.0, 2.0], [0.0, 10.0]])
    second = torch.tensor([[1.0, 1.0], [5.0, 2.0], [2.0, 5.0], [0.0, 10.0]])
    assert seg.temporal_iou(first.unsqueeze(1), second).tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, pytest.approx(0.3), 1],
    ]
    assert seg.temporal_iou(first.unsqueeze(1), second[:0]).shape == (3, 0)


def kept_by_a_loop(
    segments: Tensor, scores: Tensor, count: int, threshold: float | None, sigma: float = 1.0, min_score: float = 0.0
) -> list[tuple[float, int, int]]:
    """Each class alone and to its end; hard where there is a threshold."""
    spans = segments.tolist()
    kept: list[tuple[float, int, int]] = []
    for class_index, column in enumerate(scores.T.tolist()):
        left = {row: score for row, score in enumerate(column) if threshold is not None or score >= min_score}
        while left:
            best = min(left, key=lambda row: (-left[row], row))
            kept.append((-left.pop(best), class_index, best))
            for row in list(left):
                overlap = iou(spans[best], spans[row])
                if threshold is not None:
                    if overlap > threshold:
                        del left[row]
                else:
                    left[row] *= math.exp(-(overlap**2) / sigma)
                    if left[row] < min_score:
                        del left[row]
    return sorted(kept)[:count]


def assert_kept(kept: seg.Kept, expected: list[tuple[float, int, int]], dtype: torch.dtype) -> None:
    assert list(zip(kept.class_index.tolist(), kept.row.tolist(), strict=True)) == [row[1:] for row in expected]
    assert kept.score.dtype == dtype
    assert_close(kept.score, torch.tensor([-row[0] for row in expected], dtype=dtype), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 30, 1000])
@pytest.mark.parametrize("levels", [4, 1000])  # few levels: most scores are tied
def test_nms_against_a_loop_over_classes(dtype: torch.dtype, count: int, levels: int) -> None:
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        segments = random_segments(40, generator, dtype)
        scores = torch.randint(-1, levels, (40, 5), generator=generator).to(dtype)
        before = scores.clone()
        for threshold in (0.0, 0.45, 1.0):
            kept = seg.nms(segments, scores, threshold, count)
            assert_kept(kept, kept_by_a_loop(segments, scores, count, threshold), dtype)
        assert torch.equal(scores, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [1, 30, 1000])
@pytest.mark.parametrize("min_score", [0.0, 0.2])
def test_soft_nms_against_a_loop_over_classes(dtype: torch.dtype, count: int, min_score: float) -> None:
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        segments = random_segments(40, generator, dtype)
        # Two classes far below the others, which end early when few are asked for.
        scores = torch.rand(40, 5, generator=generator, dtype=torch.float64).mul(torch.tensor([1, 1, 0.9, 0.3, 0.01]))
        scores = scores.to(dtype)
        kept = seg.soft_nms(segments, scores, 0.5, count, min_score)
        expected = kept_by_a_loop(segments, scores, count, None, 0.5, min_score)
        assert_kept(kept, expected, dtype)


def test_soft_nms_of_tied_scores_takes_the_lower_row_first() -> None:
    segments = torch.tensor([[0.0, 4.0], [10.0, 14.0], [0.0, 4.0], [20.0, 24.0]])
    scores = torch.full((4, 2), 0.5)
    kept = seg.soft_nms(segments, scores, 1.0, 8)
    assert kept.row.tolist() == [0, 1, 3, 0, 1, 3, 2, 2]
    assert kept.class_index.tolist() == [0, 0, 0, 1, 1, 1, 0, 1]
    assert_close(kept.score[6:], torch.full((2,), 0.5 * math.exp(-1)))


def test_soft_nms_survives_a_factor_that_underflows() -> None:
    segments = torch.tensor([[0.0, 4.0]]).expand(3, 2)
    kept = seg.soft_nms(segments, torch.tensor([[0.3], [0.9], [0.6]]), 1e-4, 10)
    assert kept.row.tolist() == [1, 0, 2]
    assert_close(kept.score, torch.tensor([0.9, 0.0, 0.0]))
    assert seg.soft_nms(segments, torch.tensor([[0.3], [0.9], [0.6]]), 1e-4, 10, 0.001).row.tolist() == [1]


def test_soft_nms_refuses_negative_scores() -> None:
    with pytest.raises(ValueError, match="0 or greater"):
        seg.soft_nms(torch.tensor([[0.0, 1.0]]), torch.tensor([[-0.1]]), 0.5, 10)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (0, 0)])
def test_nothing_to_suppress(shape: tuple[int, int]) -> None:
    for kept in (
        seg.nms(torch.zeros(shape[0], 2), torch.zeros(shape), 0.5, 10),
        seg.soft_nms(torch.zeros(shape[0], 2), torch.zeros(shape), 0.5, 10),
        seg.nms(torch.zeros(3, 2), torch.zeros(3, 2), 0.5, 0),
        seg.nms(torch.zeros(3, 2), torch.full((3, 2), -math.inf), 0.5, 10),
    ):
        assert kept.class_index.tolist() == kept.row.tolist() == kept.score.tolist() == []


def test_many_proposals_need_no_square_matrix() -> None:
    """50,000 proposals: a matrix of their overlaps would take 10 GB."""
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(50_000, 1, generator=generator) * 7200
    segments = torch.cat([start, start + 60 * torch.rand(50_000, 1, generator=generator)], 1)
    kept = seg.soft_nms(segments, torch.rand(50_000, 3, generator=generator), 0.5, 50)
    assert len(kept.score) == 50
    assert kept.score.diff().max() <= 0


def features_by_a_loop(frames: Tensor, mask: Tensor, segments: Tensor) -> Tensor:
    rows = []
    for row, own in enumerate(segments.tolist()):
        real = [frame for frame in range(frames.shape[1]) if mask[row, frame]]
        for start, end in own:
            shares = {frame: min(end, frame + 1.0) - max(start, float(frame)) for frame in real}
            shares = {frame: share for frame, share in shares.items() if share > 0}
            if not shares and real:
                middle = (start + end) / 2
                shares = {min(real, key=lambda frame: (int(middle // 1) != frame, abs(frame + 0.5 - middle))): 1.0}
            total = [share * frames[row, frame].double() for frame, share in shares.items()]
            rows.append(sum(total, torch.zeros(frames.shape[2])) / (sum(shares.values()) or 1.0))
    return torch.stack(rows).reshape(*segments.shape[:2], -1).to(frames.dtype)


def pieces(seed: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows with all frames, with padding, with gaps, and with no real frame; segments of all kinds."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randn(4, length, 6, generator=generator) + 3
    mask = torch.ones(4, length, dtype=torch.bool)
    mask[1, length * 2 // 3 :] = False
    mask[2] = torch.rand(length, generator=generator) < 0.4
    mask[3] = False
    start = torch.rand(4, 50, generator=generator) * length
    segments = torch.stack([start, start + torch.rand(4, 50, generator=generator) ** 3 * length], -1)
    segments[:, :10] = segments[:, :10].round()
    segments[:, 10:14, 1] = segments[:, 10:14, 0]  # empty
    segments[:, 14:16] = segments[:, 14:16].flip(-1)  # reversed
    segments[:, 16] = torch.tensor([-5.0, -1.0])
    segments[:, 17] = torch.tensor([length + 1.0, length + 3.0])
    segments[:, 18] = torch.tensor([-3.0, length + 3.0])
    return frames, mask, segments


@pytest.mark.parametrize("length", [1, 2, 13, 768])
def test_segment_features_against_a_loop(length: int) -> None:
    frames, mask, segments = pieces(length, length)
    found = seg.segment_features(frames, mask, segments)
    assert_close(found, features_by_a_loop(frames, mask, segments), rtol=0, atol=1e-5)
    assert not found[3].any()


def test_masked_frames_count_nothing_whatever_they_hold() -> None:
    frames, mask, segments = pieces(0, 13)
    spoilt = frames.masked_fill(~mask[..., None], math.nan)
    assert_close(seg.segment_features(spoilt, mask, segments), seg.segment_features(frames, mask, segments))


def test_gradients_of_segment_features() -> None:
    frames, mask, segments = pieces(1, 13)
    one, other = frames.clone().requires_grad_(), frames.clone().requires_grad_()
    weight = torch.randn(4, 50, 6, generator=torch.Generator().manual_seed(1))
    torch.autograd.backward((seg.segment_features(one, mask, segments) * weight).sum())
    torch.autograd.backward((features_by_a_loop(other, mask, segments) * weight).sum())
    assert one.grad is not None
    assert other.grad is not None
    assert_close(one.grad, other.grad, rtol=0, atol=1e-5)
    assert not one.grad[~mask].any()
