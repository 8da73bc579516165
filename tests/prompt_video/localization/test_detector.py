"""What the detector says of a window depends on the real frames of that window alone."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from data_modules.errors import InputError
from prompt_video.localization.detector import Coarse, ProposalDetector, pyramid_points

WIDTH, SCALES, PROPOSALS = 12, 3, 200  # more proposals than points: all are refined


@pytest.fixture
def detector() -> ProposalDetector:
    """In double precision, all weights random: as initialised offsets are zero, and errors in them would not show."""
    torch.manual_seed(0)
    detector = ProposalDetector(WIDTH, channels=16, num_scales=SCALES, num_proposals=PROPOSALS).double()
    with torch.no_grad():
        for weight in detector.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return detector.eval()


def windows(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, WIDTH, generator=generator).double() * 3 for length in lengths]


def padded(frames: Tensor, before: int, behind: int, fill: float = 0.0) -> tuple[Tensor, Tensor]:
    """One window with so many masked frames around it."""
    mask = F.pad(torch.ones(1, len(frames), dtype=torch.bool), (before, behind))
    return F.pad(frames[None], (0, 0, before, behind), value=fill), mask


Said = dict[tuple[float, float], Tensor]


def said(detector: ProposalDetector, frames: Tensor, mask: Tensor, row: int = 0, shift: int = 0) -> Said:
    """Everything about each real point of a window, by stride and place: before and after refinement."""
    coarse = detector(frames, mask)
    everything = torch.arange(len(coarse.points.center)).expand(len(frames), -1)
    refined = detector.refine(coarse, everything)
    rows = torch.cat(
        [
            coarse.segments[row] - shift,
            refined.segments[row] - shift,
            coarse.action[row, :, None],
            refined.quality[row, :, None],
        ],
        dim=-1,
    )
    assert torch.equal(refined.valid, coarse.valid)
    keys = zip(coarse.points.stride.tolist(), (coarse.points.center - shift).tolist(), strict=True)
    return {key: own for key, own, valid in zip(keys, rows, coarse.valid[row].tolist(), strict=True) if valid}


def assert_same(one: Said, other: Said) -> None:
    assert one.keys() == other.keys()
    assert_close(torch.stack([one[key] for key in one]), torch.stack([other[key] for key in one]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, 5, 8, 13])
@pytest.mark.parametrize(("before", "behind"), [(0, 1), (0, 3), (0, 11), (4, 0), (8, 5)])
@pytest.mark.parametrize("fill", [0.0, 1e4, float("nan")])
@torch.no_grad()
def test_masked_frames_around_a_window_change_nothing(
    detector: ProposalDetector, length: int, before: int, behind: int, fill: float
) -> None:
    (frames,) = windows(length)
    alone = said(detector, *padded(frames, 0, 0))
    assert len(alone) == sum(-(-length // 2**level) for level in range(SCALES))
    # The points of a window that is moved by whole strides of the coarsest scale move with it.
    assert_same(alone, said(detector, *padded(frames, before, behind, fill), shift=before))


@torch.no_grad()
def test_what_else_is_in_the_batch_changes_nothing(detector: ProposalDetector) -> None:
    frames = windows(7, 16, 1, 30)
    batch = torch.zeros(4, 30, WIDTH, dtype=torch.double)
    mask = torch.zeros(4, 30, dtype=torch.bool)
    for row, own in enumerate(frames):
        batch[row, : len(own)], mask[row, : len(own)] = own, True
    for row, own in enumerate(frames):
        assert_same(said(detector, *padded(own, 0, 0)), said(detector, batch, mask, row))


@torch.no_grad()
def test_what_hidden_frames_in_the_middle_hold_does_not_matter(detector: ProposalDetector) -> None:
    (frames,) = windows(20)
    mask = torch.ones(1, 20, dtype=torch.bool)
    mask[0, 5:12] = False
    reference = said(detector, frames[None], mask)
    for fill in (0.0, -1e4, float("nan"), float("inf")):
        changed = frames.clone()
        changed[5:12] = fill
        assert_same(reference, said(detector, changed[None], mask))
    assert {center for stride, center in reference if stride == 1} == {i + 0.5 for i in range(20) if not 5 <= i < 12}
    # A coarse point is real when any frame under it is: of 4 to 8 there is one, of 8 to 12 there is none.
    assert {center for stride, center in reference if stride == 4} == {2.0, 6.0, 14.0, 18.0}


@torch.no_grad()
def test_real_frames_matter(detector: ProposalDetector) -> None:
    """So that the equalities above say something."""
    (frames,) = windows(16)
    changed = frames.clone()
    changed[7] = -changed[7]
    one, other = (said(detector, *padded(own, 0, 0)) for own in (frames, changed))
    assert all(not torch.equal(one[1.0, i + 0.5], other[1.0, i + 0.5]) for i in range(4, 12))


def test_points_of_the_pyramid() -> None:
    points = pyramid_points(8, 3, torch.zeros(()))
    assert points.center.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 1.0, 3.0, 5.0, 7.0, 2.0, 6.0]
    assert points.stride.tolist() == [1.0] * 8 + [2.0] * 4 + [4.0] * 2
    reaches = {tuple(reach) for reach in points.reach.tolist()}
    assert reaches == {(0.0, 4.0), (4.0, 8.0), (8.0, float("inf"))}, "together they reach every distance once"


@torch.no_grad()
def test_positions_keep_their_precision_where_a_run_computes_in_less(detector: ProposalDetector) -> None:
    detector = detector.float()
    frames, mask = padded(torch.randn(768, WIDTH), 0, 0)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = detector(frames, mask)
        refined = detector.refine(coarse, detector.likeliest(coarse))
    assert coarse.points.center[:768].tolist() == [i + 0.5 for i in range(768)]
    for positions in (coarse.segments, refined.segments, refined.center):
        assert positions.dtype == torch.float32


@torch.no_grad()
def test_refinement_keeps_what_it_is_given_until_it_has_learned() -> None:
    torch.manual_seed(0)
    detector = ProposalDetector(WIDTH, channels=16, num_scales=SCALES, num_proposals=10).eval()
    frames, mask = padded(torch.randn(20, WIDTH), 0, 3)
    coarse = detector(frames, mask)
    chosen = torch.tensor([[3, 30, 0]])
    refined = detector.refine(coarse, chosen)
    assert torch.equal(refined.segments, coarse.segments[:, chosen[0]])
    assert torch.equal(refined.proposed, refined.segments)
    assert torch.equal(refined.action, coarse.action[:, chosen[0]])
    assert torch.equal(refined.center[0], coarse.points.center[chosen[0]])
    assert refined.quality.tolist() == [[0.0, 0.0, 0.0]]
    assert_close(refined.confidence, (coarse.action[:, chosen[0]].sigmoid() * 0.5).sqrt())


@torch.no_grad()
def test_moves_are_shares_of_the_length(detector: ProposalDetector) -> None:
    frames, mask = padded(windows(20)[0], 0, 0)
    detector.refinement.out.weight.zero_()
    detector.refinement.out.bias.copy_(torch.tensor([-0.5, 0.25, 2.0]))
    coarse = detector(frames, mask)
    refined = detector.refine(coarse, torch.tensor([[4]]))
    start, end = coarse.segments[0, 4].tolist()
    assert refined.segments[0, 0].tolist() == pytest.approx([start - 0.5 * (end - start), end + 0.25 * (end - start)])
    assert refined.quality.tolist() == [[2.0]]


@torch.no_grad()
def test_the_likeliest_points_are_chosen_and_wanted_ones_before_them() -> None:
    torch.manual_seed(0)
    detector = ProposalDetector(WIDTH, channels=8, num_scales=2, num_proposals=3)
    points = pyramid_points(4, 2, torch.zeros(()))
    action = torch.tensor([[1.0, 5.0, 9.0, 2.0, 3.0, 4.0]])
    valid = torch.tensor([[True, True, False, True, True, True]])
    coarse = Coarse(points, valid, action, torch.zeros(1, 6, 2), torch.zeros(1, 4, 8))
    assert detector.likeliest(coarse).tolist() == [[1, 5, 4]], "never one without a real frame while there are others"
    wanted = torch.tensor([[True, False, True, False, False, False]])
    assert detector.likeliest(coarse, wanted).tolist() == [[0, 1, 5]]
    detector.num_proposals = 100
    assert sorted(detector.likeliest(coarse)[0].tolist()) == list(range(6)), "no more than there are"


def test_gradients_reach_every_weight(detector: ProposalDetector) -> None:
    frames, mask = padded(windows(21)[0], 0, 4)
    detector.train()
    coarse = detector(frames, mask)
    refined = detector.refine(coarse, detector.likeliest(coarse))
    parts = (coarse.action, coarse.segments, refined.segments, refined.quality)
    torch.autograd.backward(torch.stack([part.square().sum() for part in parts]).sum())
    for name, weight in detector.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name
        assert weight.grad.isfinite().all(), name


def test_refinement_does_not_teach_the_points(detector: ProposalDetector) -> None:
    frames, mask = padded(windows(21)[0], 0, 0)
    coarse = detector(frames, mask)
    refined = detector.refine(coarse, detector.likeliest(coarse))
    torch.autograd.backward(refined.segments.sum() + refined.quality.sum())
    for head in (detector.action, detector.distances, detector.distance_tower):
        assert all(weight.grad is None for weight in head.parameters())


def test_dropout_is_drawn_from_the_generator_that_it_is_given(detector: ProposalDetector) -> None:
    """And not from what anything else has left of the process's own, so that a resumed run draws alike."""
    frames, mask = padded(windows(16)[0], 0, 0)
    detector.dropout = 0.5

    def action(seed: int) -> Tensor:
        torch.rand(3)
        found: Tensor = detector(frames, mask, torch.Generator().manual_seed(seed)).action
        return found

    detector.train()
    assert torch.equal(action(1), action(1))
    assert not torch.equal(action(1), action(2))
    assert not torch.equal(detector(frames, mask).action, detector(frames, mask).action)
    detector.eval()
    assert torch.equal(action(1), action(2))


def test_dropout_keeps_the_mean(detector: ProposalDetector) -> None:
    frames, mask = padded(windows(64)[0], 0, 0)
    detector.train().dropout = 0.25
    kept: list[Tensor] = []
    detector.down[0].register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    with torch.no_grad():
        for seed in range(200):
            detector(frames, mask, torch.Generator().manual_seed(seed))
        detector.eval()(frames, mask)
    whole, values = kept[-1], torch.stack(kept[:-1])
    assert (values == 0)[:, whole > 0].float().mean() == pytest.approx(0.25, abs=0.01)
    assert_close(values.mean(0).mean(), whole.mean(), rtol=0.02, atol=0)


@torch.no_grad()
def test_settings_rebuild_it(detector: ProposalDetector) -> None:
    again = ProposalDetector(WIDTH, **detector.settings()).double().eval()
    again.load_state_dict(detector.state_dict())
    frames, mask = padded(windows(9)[0], 0, 2)
    assert_same(said(detector, frames, mask), said(again, frames, mask))
    assert again.settings() == {"channels": 16, "num_scales": SCALES, "num_proposals": PROPOSALS, "dropout": 0.1}


@pytest.mark.parametrize(
    "options", [{"channels": 0}, {"num_scales": 0}, {"num_proposals": 0}, {"dropout": 1.0}, {"dropout": -0.1}]
)
def test_impossible_settings_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match="channels, num_scales and num_proposals must be 1 or more"):
        ProposalDetector(WIDTH, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("num_scales", [1, 6])
@pytest.mark.parametrize("num_frames", [1, 2, 33])
@torch.no_grad()
def test_windows_of_any_length_and_pyramids_of_any_height(num_frames: int, num_scales: int) -> None:
    detector = ProposalDetector(WIDTH, channels=8, num_scales=num_scales, num_proposals=5).eval()
    frames, mask = padded(torch.randn(num_frames, WIDTH), 0, 0)
    coarse = detector(frames, mask)
    refined = detector.refine(coarse, detector.likeliest(coarse))
    assert coarse.frames.shape[1] == num_frames
    assert refined.segments.shape == (1, min(5, len(coarse.points.center)), 2)
    assert refined.segments.isfinite().all()
    assert (coarse.segments[..., 0] < coarse.segments[..., 1]).all()
