"""From windows to candidates: every moment, action and proposal counts once, wherever the windows' bounds lie."""

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from data_modules.batch import Batch, Segment
from data_modules.loading.window_dataset import CollateWindows, WindowSample
from data_modules.loading.windows import SlidingWindows, WholeVideo, Windows
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.localization.detector import Coarse, ProposalDetector, Refined, pyramid_points
from prompt_video.localization.localizer import Proposed, actions_of, candidates, detected, loaded
from prompt_video.localization.proposals import LoadedProposals
from prompt_video.localization.suppression import Candidates, Suppression
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel

WIDTH = 24  # of the tiny CLIP's joint space
TEXTS = ["star", "a red circle", "ring"]
RATE = 10.0


def batch_of(windows: Windows, num_frames: int, frame_rate: float = RATE, texts: Sequence[str] = TEXTS) -> Batch:
    """All windows of a video in one batch; every frame's first feature is its number in the video."""
    duration_sec = num_frames / frame_rate
    cover = windows.cover(duration_sec, frame_rate)
    samples = [
        WindowSample(
            features=torch.from_numpy(window.moments_sec * frame_rate - 0.5).float()[:, None].expand(-1, WIDTH),
            mask=torch.ones(window.num_frames, dtype=torch.bool),
            window=window,
            video_id="video",
            duration_sec=duration_sec,
            is_last=number + 1 == len(cover),
            segments=[],
            ignored_sec=[],
        )
        for number, window in enumerate(cover)
    ]
    return CollateWindows("test", texts)(samples)


@pytest.fixture
def model(backbone: FrozenBackbone) -> VideoTextModel:
    torch.manual_seed(0)
    return VideoTextModel(backbone, TemplatePrompt, partial(TemporalEncoder, num_heads=4), 0.5).eval()


Told = tuple[float, float, float]  # start, end, and the point that tells of it; in frames of the window


class StandIn(ProposalDetector):
    """Tells what it is told to, window by window.

    Args:
        tell: given the first frame of a window and how many there are, what happens there.
    """

    def __init__(self, tell: Callable[[float, int], Sequence[Told]]) -> None:
        super().__init__(WIDTH, channels=1, num_scales=1)
        self.tell = tell

    def forward(self, frames: Tensor, mask: Tensor, generator: torch.Generator | None = None) -> Coarse:
        points = pyramid_points(frames.shape[1], 1, frames)
        nothing = frames.new_zeros(mask.shape)
        self.told = [self.tell(row[0, 0].item(), int(own.sum())) for row, own in zip(frames, mask, strict=True)]
        return Coarse(points, mask, nothing, nothing[..., None].expand(-1, -1, 2), frames)

    def refine(self, coarse: Coarse, chosen: Tensor) -> Refined:
        most = max(map(len, self.told))
        rows = torch.tensor([[*own, *[(0.0, 0.0, 0.0)] * (most - len(own))] for own in self.told]).reshape(-1, most, 3)
        valid = torch.arange(most) < torch.tensor([len(own) for own in self.told])[:, None]
        sure = torch.full(valid.shape, 30.0)
        return Refined(rows[..., :2], rows[..., :2], sure, sure, valid, rows[..., 2])


LONG = [
    (SlidingWindows(256, 0.5), 72000, 10.0),
    (SlidingWindows(255, 0.3), 50003, 24000 / 1001),
    (SlidingWindows(64, 0.75), 20011, 6.0),
    (SlidingWindows(16, 0.0), 3001, 30.0),
    (WholeVideo(100), 72000, 10.0),
]


@pytest.mark.parametrize(("windows", "num_frames", "frame_rate"), LONG)
def test_every_moment_of_a_long_video_is_answered_for_once(
    windows: Windows, num_frames: int, frame_rate: float
) -> None:
    def every_point(first: float, count: int) -> list[Told]:
        return [(first + i, first + i + 1, i + 0.5) for i in range(count)]  # tells which frame of the video it is

    batch = batch_of(windows, num_frames, frame_rate)
    found = detected(StandIn(every_point), batch, batch["features"])
    numbers = found.segments[found.own][:, 0].round().long()
    if isinstance(windows, WholeVideo):
        assert numbers.tolist() == sorted(numbers.tolist())
        assert len(numbers) == windows.num_frames
    else:
        assert torch.bincount(numbers, minlength=num_frames).eq(1).all()


def once(model: VideoTextModel, batch: Batch, proposed: Proposed, suppression: Suppression) -> list[tuple[float, ...]]:
    """What is left of all windows of a video after suppression: start, end, score."""
    found = Candidates.joined(candidates(model, batch, batch["features"], proposed, 2))
    kept = suppression.keep(found.segments_sec, found.confidence[:, None] * found.learned)
    return [(*segment, score) for segment, score in zip(kept.segments_sec.tolist(), kept.scores.tolist(), strict=True)]


def tells_whole(start: float, end: float, first: float, count: int) -> list[Told]:
    """The point nearest to the middle of the action, of those in the window, sees where it starts and ends."""
    if end <= first or start >= first + count:
        return []
    middle = min(max((start + end) / 2 - first, 0.5), count - 0.5)
    return [(start - first, end - first, math.floor(middle) + 0.5)]


def every_point_tells(start: float, end: float, first: float, count: int) -> list[Told]:
    """As the real detector does near the middle of an action, and more than that."""
    inside = [i + 0.5 for i in range(count) if start < first + i + 0.5 < end]
    return [(start - first, end - first, point) for point in inside]


def tells_what_it_sees(start: float, end: float, first: float, count: int) -> list[Told]:
    """The action cut to the window, from the middle of what is left of it."""
    low, high = max(start - first, 0.0), min(end - first, float(count))
    return [(low, high, min(math.floor((low + high) / 2), count - 1) + 0.5)] if high > low else []


SOFT, HARD = Suppression("soft", min_score=0.01), Suppression("hard", threshold=0.5)
NUM_FRAMES, WINDOW = 200, 64


@pytest.mark.parametrize(
    ("tell", "lengths", "suppression"),
    [
        (tells_whole, (3.0, 20.0, 36.0, 50.0, 64.0, 90.0, 150.0), SOFT),
        (tells_whole, (36.0, 150.0), HARD),
        (every_point_tells, (3.0, 36.0, 50.0, 150.0), HARD),
        (tells_what_it_sees, (3.0, 20.0, 35.75, 36.0), SOFT),
        (tells_what_it_sees, (3.0, 36.0), HARD),
    ],
    ids=["whole, soft", "whole, hard", "every point", "visible, soft", "visible, hard"],
)
@torch.no_grad()
def test_an_action_comes_out_once_and_whole_wherever_windows_begin_and_end(
    model: VideoTextModel, tell: Callable[..., list[Told]], lengths: tuple[float, ...], suppression: Suppression
) -> None:
    """Each window is 64 frames long, and overlaps with the next one by 36 or 37.

    What looks for the whole action finds it however long it is; what tells of the part that it sees, as long as it is
    no longer than the overlap, since then the window that answers for its middle sees all of it.
    """
    batch = batch_of(SlidingWindows(WINDOW, 0.5), NUM_FRAMES, texts=TEXTS[:1])
    for length in lengths:
        for step in range(12):
            start = (NUM_FRAMES - length) * step / 11
            end = start + length
            proposed = detected(StandIn(partial(tell, start, end)), batch, batch["features"])
            ((low, high, score),) = once(model, batch, proposed, suppression)
            assert low == pytest.approx(start / RATE, abs=1e-4)
            assert high == pytest.approx(end / RATE, abs=1e-4)
            assert score == pytest.approx(1.0)


@torch.no_grad()
def test_actions_side_by_side_are_not_taken_for_one(model: VideoTextModel) -> None:
    batch = batch_of(SlidingWindows(WINDOW, 0.5), NUM_FRAMES, texts=TEXTS[:1])
    actions = [(i * 12.0, i * 12.0 + 11) for i in range(16)]

    def tell(first: float, count: int) -> list[Told]:
        return [told for action in actions for told in tells_whole(*action, first, count)]

    found = once(model, batch, detected(StandIn(tell), batch, batch["features"]), HARD)
    assert sorted((round(low * RATE), round(high * RATE)) for low, high, _ in found) == actions


def proposals_file(folder: Path, segments: Sequence[tuple[float, float]]) -> LoadedProposals:
    path = folder / "proposals.json"
    entries = [{"segment": list(own), "score": 0.9 - 0.8 * i / len(segments)} for i, own in enumerate(segments)]
    path.write_text(json.dumps({"results": {"video": entries}}))
    return LoadedProposals(path)


@pytest.mark.parametrize("windows", [SlidingWindows(64, 0.5), SlidingWindows(33, 0.2), WholeVideo(50)])
@torch.no_grad()
def test_every_given_proposal_comes_out_once(model: VideoTextModel, windows: Windows, tmp_path: Path) -> None:
    batch = batch_of(windows, NUM_FRAMES)
    bounds = sorted({bound for bound in batch["windows"]["own_sec"].flatten().tolist() if math.isfinite(bound)})
    rng = torch.Generator().manual_seed(0)
    random = (torch.rand(60, 2, generator=rng) * NUM_FRAMES / RATE).sort(-1).values.tolist()
    # Some whose middle is just where one window hands over to the next.
    segments = [(start, end) for start, end in random] + [(bound - 1.5, bound + 1.5) for bound in bounds]
    found = Candidates.joined(
        candidates(model, batch, batch["features"], loaded(proposals_file(tmp_path, segments), batch), 4)
    )
    assert len(found.confidence) == len(segments)
    found_at = sorted(zip(found.segments_sec.tolist(), found.confidence.tolist(), strict=True), key=lambda row: -row[1])
    for number, ((start, end), confidence) in enumerate(found_at):
        assert (start, end) == pytest.approx(segments[number], abs=1e-4)
        assert confidence == pytest.approx(0.9 - 0.8 * number / len(segments))


@torch.no_grad()
def test_times_are_clipped_to_the_video_and_what_lies_outside_is_dropped(model: VideoTextModel, tmp_path: Path) -> None:
    batch = batch_of(SlidingWindows(WINDOW, 0.5), NUM_FRAMES)
    segments = [(0.0, 3.0), (18.5, 25.0), (0.0, 100.0), (20.0, 21.0), (35.0, 36.0), (5.0, 5.0)]
    proposed = loaded(proposals_file(tmp_path, segments), batch)
    found = Candidates.joined(candidates(model, batch, batch["features"], proposed, 4))
    assert sorted(found.segments_sec.tolist()) == [
        pytest.approx(own, abs=1e-4) for own in ([0.0, 3.0], [0.0, 20.0], [18.5, 20.0])
    ]

    def outside(first: float, count: int) -> list[Told]:
        return [(-first - 5, -first + 5, 4.5)] if first == 0 else []

    ((low, high, _),) = once(model, batch, detected(StandIn(outside), batch, batch["features"]), HARD)[:1]
    assert (low, high) == pytest.approx((0.0, 0.5))


def some(batch: Batch) -> Proposed:
    generator = torch.Generator().manual_seed(5)
    rows, length = batch["mask"].shape
    segments = (torch.rand(rows, 6, 2, generator=generator) * length).sort(-1).values
    own = torch.rand(rows, 6, generator=generator) < 0.7
    return Proposed(segments, torch.rand(rows, 6, generator=generator), own)


def with_noise(batch: Batch) -> Batch:
    noise = torch.randn(batch["features"].shape, generator=torch.Generator().manual_seed(6))
    return Batch(**{**batch, "features": noise})


@pytest.mark.parametrize("frames_inside", [None, 4])
@torch.no_grad()
def test_candidates_by_hand(model: VideoTextModel, frames_inside: int | None) -> None:
    batch = with_noise(batch_of(SlidingWindows(16, 0.5), 40))
    proposed = some(batch)
    found = candidates(model, batch, batch["features"], proposed, frames_inside)
    assert [len(own.confidence) for own in found] == proposed.own.sum(1).tolist()
    everything = Candidates.joined(found)
    for probabilities in (everything.learned, everything.frozen):
        assert_close(probabilities.sum(-1), torch.ones(len(probabilities)))
        assert (probabilities >= 0).all()
    assert_close(everything.confidence, proposed.confidence[proposed.own])
    (row, column), *_ = proposed.own.nonzero().tolist()
    start, end = proposed.segments[row, column].tolist()
    origin = batch["windows"]["origin_sec"][row].item()
    assert found[row].segments_sec[0].tolist() == pytest.approx([origin + start / RATE, origin + end / RATE])
    # Frozen CLIP: the mean of what the proposal covers, at its own temperature, not the model's of 0.5.
    share = torch.tensor([max(0.0, min(end, i + 1) - max(start, i)) for i in range(16)])
    mean = (batch["features"][row] * share[:, None]).sum(0) / share.sum()
    cosine = F.normalize(mean, dim=-1) @ model.frozen_text_features(TEXTS).T
    assert_close(found[row].frozen[0], (cosine / model.backbone.temperature).softmax(-1), rtol=1e-4, atol=1e-6)
    if frames_inside is None:
        whole = model.temporal.frame_features(batch["features"][row, None], batch["mask"][row, None])[0]
        learned = (whole * share[:, None]).sum(0) / share.sum()
        assert_close(found[row].learned[0], model.scores(learned[None], TEXTS)[0].softmax(-1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("frames_inside", [None, 4])
@torch.no_grad()
def test_neither_padding_nor_the_rest_of_the_batch_changes_a_candidate(
    model: VideoTextModel, frames_inside: int | None
) -> None:
    """A short video beside long windows: its proposals reach into what is padding only there."""
    torch.manual_seed(1)
    detector = ProposalDetector(WIDTH, channels=8, num_scales=3, num_proposals=1000).eval()
    torch.nn.init.normal_(detector.refinement.out.weight)
    alone = with_noise(batch_of(SlidingWindows(32, 0.5), 11))
    padded = batch_of(SlidingWindows(32, 0.5), 11)
    padded["mask"] = F.pad(alone["mask"], (0, 21))
    one = candidates(model, alone, alone["features"], detected(detector, alone, alone["features"]), frames_inside)
    for fill in (0.0, float("nan")):
        padded["features"] = F.pad(alone["features"], (0, 0, 0, 21), value=fill)
        more = detected(detector, padded, padded["features"])
        other = candidates(model, padded, padded["features"], more, frames_inside)
        order = [found[0].segments_sec[:, 0].argsort() for found in (one, other)]
        for mine, theirs in zip(one[0], other[0], strict=True):
            assert_close(mine[order[0]], theirs[order[1]], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_share_of_the_scores_is_frozen_clips(backbone: FrozenBackbone) -> None:
    batch = with_noise(batch_of(SlidingWindows(16, 0.5), 40))
    found = {}
    for share in (0.0, 0.25, 1.0):
        torch.manual_seed(0)
        model = VideoTextModel(
            backbone, TemplatePrompt, partial(TemporalEncoder, num_heads=4), 0.5, frozen_share=share
        ).eval()
        found[share] = Candidates.joined(candidates(model, batch, batch["features"], some(batch), 4))
    for mixed, learned, frozen in zip(found[0.25].learned, found[0.0].learned, found[1.0].learned, strict=True):
        assert_close(mixed, (0.75 * learned.log() + 0.25 * frozen.log()).softmax(-1))
    assert_close(found[0.25].frozen, found[0.0].frozen), "the frozen CLIP itself is the same one"


@torch.no_grad()
def test_a_linear_probe_scores_segments_too(backbone: FrozenBackbone) -> None:
    model = VideoTextModel(backbone, LinearProbe, partial(TemporalEncoder, num_layers=0, num_heads=4))
    model.set_vocabulary(TEXTS)
    assert isinstance(model.prompt, LinearProbe)
    model.prompt.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
    batch = with_noise(batch_of(SlidingWindows(16, 0.5), 40))
    found = Candidates.joined(candidates(model, batch, batch["features"], some(batch), 4))
    assert_close(found.learned, torch.tensor([0.0, 1.0, 2.0]).softmax(0).expand_as(found.learned))


@torch.no_grad()
def test_windows_without_a_single_proposal(model: VideoTextModel) -> None:
    batch = batch_of(SlidingWindows(16, 0.5), 40)
    for number in (0, 3):
        rows = len(batch["mask"])
        nothing = Proposed(torch.zeros(rows, number, 2), torch.zeros(rows, number), torch.zeros(rows, number).bool())
        found = candidates(model, batch, batch["features"], nothing, 4)
        assert [len(own.confidence) for own in found] == [0] * rows
        joined = Candidates.joined(found)
        assert joined.learned.shape == (0, len(TEXTS))
        assert len(SOFT.keep(joined.segments_sec, joined.learned).scores) == 0


def test_actions_are_placed_in_frames_of_their_window() -> None:
    window = SlidingWindows(16, 0.5).cover(4.0, RATE)[1]
    segments, ignored = [Segment(1.0, 2.0, 2), Segment(1.5, 1.75, 0)], [(0.75, 2.5)]
    sample = WindowSample(
        features=torch.zeros(16, WIDTH),
        mask=torch.ones(16, dtype=torch.bool),
        window=window,
        video_id="video",
        duration_sec=4.0,
        is_last=False,
        segments=segments,
        ignored_sec=ignored,
    )
    empty = WindowSample(**{**sample, "segments": [], "ignored_sec": []})
    assert window.origin_sec == pytest.approx(0.8)
    actions = actions_of(CollateWindows("train", TEXTS)([sample, empty]))
    assert_close(actions.segments[0], torch.tensor([[2.0, 12.0], [7.0, 9.5]]))
    assert actions.real.tolist() == [[True, True], [False, False]]
    assert_close(actions.ignored[0], torch.tensor([[-0.5, 17.0]]))
    assert (actions.ignored[1, :, 1] <= actions.ignored[1, :, 0]).all(), "padding covers nothing"
