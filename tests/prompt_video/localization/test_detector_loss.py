"""What each point of the detector is taught, against plain loops and numbers worked out by hand."""

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from prompt_video.localization.detector import Points, ProposalDetector, pyramid_points
from prompt_video.localization.detector_loss import (
    CENTER_RADIUS,
    FOCAL_ALPHA,
    FOCAL_GAMMA,
    REFINED_FROM,
    Actions,
    best_overlap,
    detector_loss,
    distance_iou_loss,
    match_points,
)
from prompt_video.localization.segments import temporal_iou

WIDTH = 6
Spans = list[tuple[float, float]]


def actions_of(segments: list[Spans], ignored: list[Spans] | None = None) -> Actions:
    """Of each window of a batch."""

    def tensors(windows: list[Spans]) -> list[Tensor]:
        return [torch.tensor(own).reshape(-1, 2) for own in windows]

    return Actions.of(tensors(segments), tensors(ignored or [[] for _ in segments]))


def matched_by_a_loop(points: Points, segments: Spans) -> list[int]:
    found = []
    for center, stride, (nearest, farthest) in zip(
        points.center.tolist(), points.stride.tolist(), points.reach.tolist(), strict=True
    ):
        best, shortest = -1, math.inf
        for number, (start, end) in enumerate(segments):
            farther = max(center - start, end - center)
            near = abs((start + end) / 2 - center) <= CENTER_RADIUS * stride
            if start < center < end and near and nearest <= farther < farthest and end - start < shortest:
                best, shortest = number, end - start
        found.append(best)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_points_answer_for_the_actions_that_a_plain_loop_gives_them(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    points = pyramid_points(32, 4, torch.zeros(()))
    windows: list[Spans] = []
    for count in (0, 1, 3, 8):
        starts = torch.rand(count, generator=generator) * 34 - 2
        lengths = torch.rand(count, generator=generator).square() * 40
        # Ends on quarters of frames, so that bounds are met exactly.
        quarters = (torch.stack([starts, starts + lengths], dim=-1) * 4).round() / 4
        windows.append([(start, end) for start, end in quarters.tolist()])
    match = match_points(points, actions_of(windows))
    assert match.tolist() == [matched_by_a_loop(points, own) for own in windows]
    assert (match >= 0).any()


def test_of_two_actions_at_a_point_the_shorter_one_is_meant() -> None:
    points = pyramid_points(8, 1, torch.zeros(()))
    assert match_points(points, actions_of([[(2.0, 7.0), (3.0, 6.0)]]))[0].tolist() == [-1, -1, -1, 1, 1, 1, -1, -1]


def test_every_length_of_action_has_a_scale_that_finds_it() -> None:
    points = pyramid_points(256, 5, torch.zeros(()))
    for length in (1.5, 3.0, 5.0, 9.0, 17.0, 40.0, 100.0, 250.0):
        for start in (0.0, 0.3, 1.0, 5.9):
            assert (match_points(points, actions_of([[(start, start + length)]])) == 0).any(), (start, length)


def test_windows_without_any_action() -> None:
    points = pyramid_points(8, 2, torch.zeros(()))
    nothing = actions_of([[], []])
    assert match_points(points, nothing).tolist() == [[-1] * 12] * 2
    overlap, best = best_overlap(torch.tensor([[[0.0, 3.0]], [[1.0, 2.0]]]), nothing)
    assert overlap.tolist() == [[0.0], [0.0]]
    assert best.tolist() == [[0], [0]]


def test_distance_iou_loss_by_hand() -> None:
    segments = torch.tensor([[[2.0, 6.0], [0.0, 2.0], [3.0, 5.0], [0.0, 4.0], [1.0, 1.0]]])
    target = torch.tensor([[[2.0, 6.0], [4.0, 8.0], [2.0, 6.0], [2.0, 6.0], [0.0, 2.0]]])
    expected = [
        0.0,
        1 - 0 + (5 / 8) ** 2,  # apart: middles at 1 and 6, both within [0, 8]
        1 - 2 / 4,  # inside one another, with the same middle
        1 - 2 / 6 + (2 / 6) ** 2,
        1.0,  # empty, in the middle of the other
    ]
    assert_close(distance_iou_loss(segments, target), torch.tensor([expected]))


def test_distance_iou_loss_leads_to_the_target() -> None:
    segments = torch.tensor([[[4.5, 5.0], [0.0, 11.0], [7.0, 14.0]]], requires_grad=True)
    target = torch.tensor([[[2.0, 9.0], [5.0, 6.0], [1.0, 8.0]]])
    optimizer = torch.optim.Adam([segments], lr=0.1)
    for step in range(300):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 300)
        optimizer.zero_grad()
        torch.autograd.backward(distance_iou_loss(segments, target).sum())
        optimizer.step()
    assert_close(segments.detach(), target, rtol=0, atol=0.05)


def test_best_overlap_against_all_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    segments = (torch.rand(2, 30, 2, generator=generator) * 20).sort(-1).values
    segments[0, :3] = segments[0, :3].flip(-1)  # refinement may turn one round: it meets nothing
    actions = [(torch.rand(count, 2, generator=generator) * 20).sort(-1).values for count in (4, 2)]
    overlap, best = best_overlap(segments, Actions.of(actions, [torch.empty(0, 2)] * 2))
    for row, own in enumerate(actions):
        tiou = temporal_iou(segments[row].unsqueeze(1), own)
        assert_close(overlap[row], tiou.max(-1).values)
        hit = overlap[row] > 0
        assert torch.equal(best[row][hit], tiou.argmax(-1)[hit])
    assert overlap[0, :3].tolist() == [0, 0, 0]


def frames_of(num_windows: int, num_frames: int) -> Tensor:
    return torch.randn(num_windows, num_frames, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def detector() -> ProposalDetector:
    torch.manual_seed(0)
    detector = ProposalDetector(WIDTH, channels=8, num_scales=3, num_proposals=20, dropout=0.0)
    with torch.no_grad():
        for weight in detector.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return detector


def test_action_loss_is_the_focal_loss_over_the_points_that_count(detector: ProposalDetector) -> None:
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[1, 7:] = False
    coarse = detector(frames_of(2, 12), mask)
    segments: list[Spans] = [[(1.0, 5.0)], []]
    ignored: list[Spans] = [[(3.0, 4.0), (8.0, 10.0)], [(0.0, 2.0)]]
    expected, num_matched = 0.0, 0
    for row, own in enumerate(segments):
        match = matched_by_a_loop(coarse.points, own)
        for point, center in enumerate(coarse.points.center.tolist()):
            is_action = match[point] >= 0
            left_out = any(start <= center < end for start, end in ignored[row]) and not is_action
            if not coarse.valid[row, point] or left_out:
                continue
            p = coarse.action[row, point].sigmoid().item()
            num_matched += is_action
            expected -= (
                FOCAL_ALPHA * (1 - p) ** FOCAL_GAMMA * math.log(p)
                if is_action
                else (1 - FOCAL_ALPHA) * p**FOCAL_GAMMA * math.log(1 - p)
            )
    assert num_matched > 2
    loss = detector_loss(detector, coarse, actions_of(segments, ignored))
    assert loss.action.item() == pytest.approx(expected / num_matched, rel=1e-5)


def test_ignored_stretches_give_no_loss_and_no_gradient(detector: ProposalDetector) -> None:
    coarse = detector(frames_of(1, 16), torch.ones(1, 16, dtype=torch.bool))
    actions = actions_of([[(1.0, 5.0)]], [[(8.0, 12.0)]])
    inside = (coarse.points.center >= 8) & (coarse.points.center < 12)
    leaf = coarse.action.detach().requires_grad_()
    reference = detector_loss(detector, coarse._replace(action=leaf), actions)
    (gradient,) = torch.autograd.grad(reference.action, leaf)
    assert not gradient[0, inside].any()
    assert gradient[0, ~inside].all()
    changed = torch.where(inside, 3.0, leaf.detach())
    assert detector_loss(detector, coarse._replace(action=changed), actions).action == reference.action
    assert (
        detector_loss(detector, coarse._replace(action=changed), actions_of([[(1.0, 5.0)]])).action > reference.action
    )


def test_an_action_in_an_ignored_stretch_is_still_taught(detector: ProposalDetector) -> None:
    coarse = detector(frames_of(1, 16), torch.ones(1, 16, dtype=torch.bool))
    leaf = coarse.action.detach().requires_grad_()
    actions = actions_of([[(8.0, 12.0)]], [[(0.0, 16.0)]])
    loss = detector_loss(detector, coarse._replace(action=leaf), actions)
    (gradient,) = torch.autograd.grad(loss.action, leaf)
    matched = match_points(coarse.points, actions)[0] >= 0
    assert torch.equal(gradient[0] != 0, matched)
    assert matched.any()


def test_the_quality_of_what_is_proposed_in_an_ignored_stretch_is_not_judged(detector: ProposalDetector) -> None:
    coarse = detector(frames_of(1, 16), torch.ones(1, 16, dtype=torch.bool))
    everywhere = detector_loss(detector, coarse, actions_of([[]], [[(-1.0, 17.0)]]))
    assert everywhere.quality == 0
    assert detector_loss(detector, coarse, actions_of([[]])).quality > 0


def test_points_without_a_real_frame_teach_nothing(detector: ProposalDetector) -> None:
    """Not even where an annotation says that something happens there."""
    mask = torch.ones(1, 16, dtype=torch.bool)
    mask[0, 8:] = False
    coarse = detector(frames_of(1, 16), mask)
    action, segments = coarse.action.detach().requires_grad_(), coarse.segments.detach().requires_grad_()
    loss = detector_loss(detector, coarse._replace(action=action, segments=segments), actions_of([[(9.0, 14.0)]]))
    assert loss.segment == 0
    (gradient,) = torch.autograd.grad(loss.total, action)
    assert torch.equal(gradient[0] != 0, coarse.valid[0])
    assert not loss.overlap[~loss.proposals.valid].any(), "nor is it classified"


def test_padding_a_batch_changes_no_loss(detector: ProposalDetector) -> None:
    """Loss of two windows together: that of each alone, weighted by how much each of them has of what is averaged."""
    one, other = frames_of(2, 20)
    mask = torch.ones(2, 20, dtype=torch.bool)
    mask[1, 9:] = False
    detector.num_proposals = 1000  # all points, so that padding does not change which are chosen
    alone = detector(other[None, :9], mask[1:, :9])
    actions = actions_of([[(2.0, 6.0), (1.0, 8.5)]])
    expected = detector_loss(detector, alone, actions)
    padded = detector(torch.cat([other[:9], one[9:]])[None], mask[1:])
    found = detector_loss(detector, padded, actions)
    for name in ("action", "segment", "refinement", "quality"):
        assert_close(getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-5)


def test_a_batch_without_any_action_teaches_background_alone(detector: ProposalDetector) -> None:
    coarse = detector(frames_of(3, 10), torch.ones(3, 10, dtype=torch.bool))
    loss = detector_loss(detector, coarse, actions_of([[], [], []]))
    assert loss.segment == 0
    assert loss.refinement == 0
    assert loss.action > 0
    torch.autograd.backward(loss.total)
    assert detector.action.bias is not None
    assert detector.action.bias.grad is not None
    assert detector.action.bias.grad.item() > 0, "less of everything"
    for weight in detector.parameters():
        assert weight.grad is None or weight.grad.isfinite().all()


def test_refinement_learns_from_what_meets_an_action_and_quality_from_everything(detector: ProposalDetector) -> None:
    torch.nn.init.zeros_(detector.refinement.out.weight)
    torch.nn.init.zeros_(detector.refinement.out.bias)
    detector.num_proposals = 1000
    coarse = detector(frames_of(2, 16), torch.ones(2, 16, dtype=torch.bool))
    actions = actions_of([[(2.0, 10.0), (12.0, 14.0)], []])
    loss = detector_loss(detector, coarse, actions)
    refinement, quality, num_movable = 0.0, 0.0, 0
    for row in range(2):
        for start, end in coarse.segments[row].tolist():
            tious = [
                temporal_iou(torch.tensor([start, end]), torch.tensor(action)).item()
                for action in ([2.0, 10.0], [12.0, 14.0])
            ]
            best = max(tious) if row == 0 else 0.0
            quality += -best * math.log(0.5) - (1 - best) * math.log(0.5)
            if best >= REFINED_FROM:
                low, high = (2.0, 10.0) if best == tious[0] else (12.0, 14.0)
                hull = max(end, high) - min(start, low)
                refinement += 1 - best + ((start + end - low - high) / 2 / hull) ** 2
                num_movable += 1
    assert 2 < num_movable < 28
    assert loss.refinement.item() == pytest.approx(refinement / num_movable, rel=1e-4)
    assert loss.quality.item() == pytest.approx(quality / (2 * 28), rel=1e-4)
    assert_close(loss.total, loss.action + loss.segment + loss.refinement + loss.quality)
    assert not loss.overlap.requires_grad


def test_points_that_answer_for_an_action_are_refined_before_all_others(detector: ProposalDetector) -> None:
    coarse = detector(frames_of(1, 16), torch.ones(1, 16, dtype=torch.bool))
    actions = actions_of([[(6.0, 9.0)]])
    matched = match_points(coarse.points, actions)[0] >= 0
    detector.num_proposals = int(matched.sum())
    unlikely = torch.where(matched, -20.0, 20.0)[None]
    proposals = detector_loss(detector, coarse._replace(action=unlikely), actions).proposals
    assert sorted(proposals.center[0].tolist()) == sorted(coarse.points.center[matched].tolist())


@pytest.mark.slow
def test_a_detector_learns_to_find_the_segments_of_a_signal() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    detector = ProposalDetector(WIDTH, channels=24, num_scales=4, num_proposals=12, dropout=0.1)
    optimizer = torch.optim.AdamW(detector.parameters(), lr=3e-3)

    def signal(num_windows: int) -> tuple[Tensor, list[Tensor]]:
        """Noise, with one direction added wherever something happens."""
        frames = torch.randn(num_windows, 64, WIDTH, generator=generator)
        segments = []
        for row in range(num_windows):
            own, at = [], 2.0
            while at < 56:
                start = at + 1 + 8 * torch.rand((), generator=generator).item()
                end = start + 3 + 20 * torch.rand((), generator=generator).item() ** 2
                if end > 63:
                    break
                own.append((start, end))
                covered = (torch.arange(64) + 0.5 > start) & (torch.arange(64) + 0.5 < end)
                frames[row, covered, 0] += 6
                at = end
            segments.append(torch.tensor(own).reshape(-1, 2))
        return frames, segments

    nothing = [torch.empty(0, 2)] * 8
    everything = torch.ones(8, 64, dtype=torch.bool)
    for _ in range(300):
        frames, segments = signal(8)
        loss = detector_loss(detector, detector(frames, everything), Actions.of(segments, nothing))
        optimizer.zero_grad()
        torch.autograd.backward(loss.total)
        optimizer.step()

    detector.eval()
    frames, segments = signal(8)
    with torch.no_grad():
        coarse = detector(frames, everything)
        found = detector.refine(coarse, detector.likeliest(coarse))
    total, met, false = 0, 0, 0
    for row, own in enumerate(segments):
        sure = found.segments[row][found.confidence[row] > 0.5]
        total += len(own)
        met += int((temporal_iou(own.unsqueeze(1), sure).max(-1).values > 0.7).sum())
        false += int((temporal_iou(sure.unsqueeze(1), own).max(-1).values < 0.3).sum())
    assert total > 15
    assert met >= 0.95 * total
    assert false <= 0.1 * total
