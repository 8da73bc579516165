"""From windows of untrimmed videos to candidates: where something happens, and what each text scores there."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from data_modules.batch import Batch
from prompt_video.localization.detector import ProposalDetector
from prompt_video.localization.detector_loss import Actions
from prompt_video.localization.proposals import LoadedProposals
from prompt_video.localization.segment_encoding import encode_segments
from prompt_video.localization.segments import segment_features
from prompt_video.localization.suppression import Candidates
from prompt_video.model.video_text_model import VideoTextModel


class Proposed(NamedTuple):
    """Proposals in windows, in frames of the window.

    Args:
        segments: start and end.
        confidence: in [0, 1].
        own: False: padding, or a proposal that another window answers for.
    """

    segments: Float[Tensor, "R N 2"]
    confidence: Float[Tensor, "R N"]
    own: Bool[Tensor, "R N"]


def detected(detector: ProposalDetector, batch: Batch, frames: Float[Tensor, "R T D"]) -> Proposed:
    """Proposals of the detector; each window answers for those whose points lie in its own moments."""
    coarse = detector(frames, batch["mask"])
    proposals = detector.refine(coarse, detector.likeliest(coarse))
    windows = batch["windows"]
    own = (windows["own_sec"] - windows["origin_sec"][:, None]) / windows["frame_sec"][:, None]
    # Moments and points lie on half frames. Rounding errors of seconds, late in a long video, would leave some points
    # to two windows or to none.
    since, to = (own * 4).round().div(4).unsqueeze(1).unbind(-1)
    mine = proposals.valid & (proposals.center >= since) & (proposals.center < to)
    return Proposed(proposals.segments, proposals.confidence, mine)


def loaded(proposals: LoadedProposals, batch: Batch) -> Proposed:
    """Proposals of a file, each in the window that answers for its middle."""
    windows, device = batch["windows"], batch["mask"].device
    segments, scores = [], []
    for row, video_id in enumerate(batch["video_id"]):
        since, to = windows["own_sec"][row].tolist()
        seconds, score = proposals.of(video_id, (since, to))
        segments.append((seconds.to(device) - windows["origin_sec"][row]) / windows["frame_sec"][row])
        scores.append(score.to(device))
    own = pad_sequence([torch.ones_like(score, dtype=torch.bool) for score in scores], batch_first=True)
    return Proposed(pad_sequence(segments, batch_first=True), pad_sequence(scores, batch_first=True), own)


def candidates(
    model: VideoTextModel, batch: Batch, frames: Float[Tensor, "R T D"], proposed: Proposed, frames_inside: int | None
) -> list[Candidates]:
    """What each window answers for: its proposals in seconds, with class probabilities.

    Args:
        model: scores segments against the batch's texts.
        batch: of windows.
        frames: features of the frozen backbone.
        proposed: in these windows.
        frames_inside: see `encode_segments`.
    """
    windows, mask, texts = batch["windows"], batch["mask"], batch["text"]
    seconds = windows["origin_sec"][:, None, None] + proposed.segments * windows["frame_sec"][:, None, None]
    # A segment may reach beyond the video, where nothing can be.
    seconds = torch.minimum(seconds.clamp(min=0), windows["duration_sec"][:, None, None])
    own = proposed.own & (seconds[..., 1] > seconds[..., 0])
    plain = segment_features(frames, mask, proposed.segments)[own]
    features = encode_segments(model.temporal, frames, mask, proposed.segments, own, frames_inside)
    scores, frozen = model.beside_frozen(model.scores(features, texts), plain, texts)
    in_all = Candidates(seconds[own], proposed.confidence[own], scores.softmax(-1), frozen.softmax(-1))
    return in_all.by_window(own.sum(1).tolist())


def actions_of(batch: Batch) -> Actions:
    """What happens in each window, in frames of the window."""
    windows = batch["windows"]

    def in_frames(spans: Sequence[Tensor]) -> list[Tensor]:
        placed = zip(spans, windows["origin_sec"], windows["frame_sec"], strict=True)
        return [(span - origin) / frame for span, origin, frame in placed]

    return Actions.of(in_frames(windows["segments_sec"]), in_frames(windows["ignored_sec"]))
