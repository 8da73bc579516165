"""Localization: what happens when in an untrimmed video? Class-agnostic proposals, each scored against the texts."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.protocols.trial import Part, Trial
from prompt_video import losses
from prompt_video.detector import Coarse, ProposalDetector
from prompt_video.detector_loss import Actions, best_overlap, detector_loss
from prompt_video.external_scores import ExternalScores
from prompt_video.linear_probe import LinearProbe
from prompt_video.proposals import GivenProposals
from prompt_video.segment_encoding import encode_segments
from prompt_video.segments import segment_features
from prompt_video.suppression import Candidates, Suppression
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.found import CLIP_ONLY, FoundActions

log = logging.getLogger(__name__)

FROZEN_TEMPERATURE = 0.01  # CLIP's own; the one that training takes means nothing to features that were not trained
ACTIVITYNET_TIOUS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


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


class LocalizationTask(VideoTextTask):
    """Find the actions in a video and name them: one proposal stage, one classification stage, trained together.

    Proposals come from an anchor-free detector on the frozen CLIP's frame features, or from a file. Frame features
    go through the temporal encoder, are averaged inside each proposal and compared with the prompted class names. The
    score of a detection is the proposal's confidence times the probability of the class; overlapping detections are
    thinned out class by class. Training classifies the annotated segments and the proposals that meet one of them.

    Logged for every test: mAP at each tIoU and its average, of ``clip_only`` scores, and beside them the frozen CLIP's
    with ``frozen_templates`` on the same proposals; AR@N and AUC of the proposals; and, where ``external_scores`` are
    given, the mAP of ``with_external`` scores.

    Args:
        detector: makes the proposal stage, given the width of CLIP's joint space.
        proposals: JSON of another detector's proposals in ActivityNet's result format, in the place of our own.
        tious: thresholds of mAP: ActivityNet's; THUMOS14 takes 0.3, 0.4, 0.5, 0.6, 0.7.
        suppression: how overlapping detections are thinned out.
        frames_inside: so many frames, evenly spread over a proposal, go through the temporal encoder together, just as
            those of a trimmed video do; null: all frames of the window together, as the paper describes it.
        match_tiou: a proposal that overlaps with an annotated segment by this much is trained on as one of its class.
        external_scores: JSON of video-level class scores of another classifier, in ActivityNet's classification
            format. They never enter ``clip_only``.
        external_weight: their weight in ``with_external``, from 0 to 1.
        text_pull: as in `RecognitionTask`.
        video_pull: the same, between each segment's feature and the mean of its frames.
        static_noise: as in `RecognitionTask`, one vector for each window; the detector sees none of it.
        options: those that all tasks share, see `VideoTextTask`.
    """

    monitor: ClassVar[str] = f"val/{CLIP_ONLY}/map_avg"
    own_parts: ClassVar[tuple[str, ...]] = ("detector",)

    def __init__(
        self,
        detector: Callable[[int], ProposalDetector] = ProposalDetector,
        proposals: Path | None = None,
        tious: Sequence[float] = ACTIVITYNET_TIOUS,
        suppression: Suppression = Suppression(),  # noqa: B008 - it cannot be changed
        frames_inside: int | None = 16,
        match_tiou: float = 0.5,
        external_scores: Path | None = None,
        external_weight: float = 0.5,
        text_pull: float = 0.0,
        video_pull: float = 0.0,
        static_noise: float = 0.0,
        **options: Any,  # noqa: ANN401 - resolved and type-checked by the command line, from the base class
    ) -> None:
        super().__init__(**options)
        if min(text_pull, video_pull, static_noise) < 0 or not 0 < match_tiou <= 1 or not 0 <= external_weight <= 1:
            raise InputError(
                "model: text_pull, video_pull and static_noise must be 0 or more, match_tiou in (0, 1] and "
                "external_weight in [0, 1]."
            )
        if frames_inside is not None and frames_inside < 1:
            raise InputError(f"model.frames_inside must be 1 or more, or null, not {frames_inside}.")
        if not tious or not all(0 < tiou <= 1 for tiou in tious):
            raise InputError(f"model.tious must be thresholds in (0, 1], at least one, not {list(tious)}.")
        if text_pull and isinstance(self.model.prompt, LinearProbe):
            raise InputError("model: a linear probe has no text features that text_pull could pull at.")
        self.given = GivenProposals(proposals) if proposals is not None else None
        self.detector = detector(self.model.clip.embed_dim) if self.given is None else None
        self.tious, self.suppression, self.match_tiou = tuple(tious), suppression, match_tiou
        self.external_path, self.external_weight = external_scores, external_weight
        self.frames_inside = frames_inside
        self.text_pull, self.video_pull, self.static_noise = text_pull, video_pull, static_noise
        self.found: dict[str, FoundActions] = {}
        self._unfinished: dict[str, list[Candidates]] = {}

    def make_metrics(self, trial: Trial) -> None:
        """What is found in validation and in each test."""
        parts = {**({"val": trial.val} if trial.val else {}), **trial.tests}
        self.found = {name: self._found(name, part) for name, part in parts.items()}

    def _found(self, name: str, part: Part) -> FoundActions:
        external = None
        video_ids = [record.video_id for record in part.records]
        if self.external_path is not None:
            catalog = self.trainer.datamodule.catalog  # type: ignore[attr-defined]  # set by every entry point
            labels = dict(zip(catalog.labels, catalog.class_names, strict=False))
            external = ExternalScores(self.external_path, part.class_names, labels, catalog.class_names)
            self._tell_missing(name, len(video_ids), external.missing(video_ids), self.external_path)
        if self.given is not None:
            self.given.check(video_ids)
            self._tell_missing(name, len(video_ids), self.given.missing(video_ids), self.given.path)
        found = FoundActions(part, self.tious, self.suppression, external, self.external_weight)
        return found.to(self.device)

    def _tell_missing(self, part: str, total: int, missing: Sequence[str], path: Path) -> None:
        if missing:
            log.warning(
                "%s names %d of the %d videos of '%s' not at all, the first being %s",
                path,
                len(missing),
                total,
                part,
                missing[0],
            )

    def loss(self, batch: Batch) -> Tensor:
        """Losses of the detector, and cross-entropy of each segment against its class."""
        frames, mask = self.model.frame_features(batch), batch["mask"]
        actions = _actions(batch)
        targets = pad_sequence(batch["windows"]["segment_targets"], batch_first=True)
        if self.detector is not None:
            found = detector_loss(self.detector, self.detector(frames, mask), actions)
            for part in ("action", "segment", "refinement", "quality"):
                self.log(f"train/detector_{part}", getattr(found, part), batch_size=len(frames))
            segments, overlap, best = found.proposals.segments.detach(), found.overlap, found.best
            loss = found.total
        else:
            segments = self._given(batch).segments
            overlap, best = best_overlap(segments, actions)
            loss = frames.new_zeros(())
        met = overlap >= self.match_tiou
        segments = torch.cat([actions.segments, segments], dim=1)
        counts = torch.cat([actions.real, met], dim=1)
        of_proposals = targets.gather(1, best) if targets.shape[1] else best
        return loss + self._classification_loss(batch, frames, segments, counts, torch.cat([targets, of_proposals], 1))

    def _classification_loss(
        self,
        batch: Batch,
        frames: Float[Tensor, "R T D"],
        segments: Float[Tensor, "R N 2"],
        counts: Bool[Tensor, "R N"],
        targets: Int[Tensor, "R N"],
    ) -> Tensor:
        """Cross-entropy of the segments that count, and how far features have drifted from frozen CLIP."""
        mask, texts = batch["mask"], batch["text"]
        if self.static_noise:
            rng = losses.step_rng(torch.initial_seed(), self.global_step, self.global_rank)
            frames = losses.static_noise(frames, mask, self.static_noise, rng)
        features = self._encode(frames, mask, segments, counts)
        target = targets[counts]
        if isinstance(self.model.prompt, LinearProbe):
            scores, drift = self.model.scores(features, texts), None
        else:
            text_features = self.model.text_features(texts)
            scores = self.model.similarity(features, text_features)
            drift = losses.drift(text_features, self.model.frozen_text_features(texts)) if self.text_pull else None
        if not len(target):
            return scores.sum() * 0.0
        self.log("train/top1", (scores.argmax(-1) == target).float().mean(), prog_bar=True, batch_size=len(target))
        loss = F.cross_entropy(scores, target)
        if drift is not None:
            loss = loss + self.text_pull * drift.mean()
        if self.video_pull:
            plain = segment_features(frames, mask, segments)[counts]
            loss = loss + self.video_pull * losses.drift(features, plain).mean()
        return loss

    def candidates(self, batch: Batch) -> list[Candidates]:
        """The proposals that each window answers for, with class probabilities."""
        frames, mask, texts = self.model.frame_features(batch), batch["mask"], batch["text"]
        proposed = self._proposed(batch, frames, mask)
        windows = batch["windows"]
        seconds = windows["origin_sec"][:, None, None] + proposed.segments * windows["frame_sec"][:, None, None]
        # A segment may reach beyond the video, where nothing can be.
        seconds = torch.minimum(seconds.clamp(min=0), windows["duration_sec"][:, None, None])
        own = proposed.own & (seconds[..., 1] > seconds[..., 0])
        plain = segment_features(frames, mask, proposed.segments)[own]
        frozen = F.normalize(plain, dim=-1) @ self.model.frozen_text_features(texts).T
        scores = self.model.scores(self._encode(frames, mask, proposed.segments, own), texts)
        if self.model.frozen_share:
            scores = torch.lerp(scores, frozen / self.model.temperature, self.model.frozen_share)
        everything = Candidates(
            seconds[own], proposed.confidence[own], scores.softmax(-1), (frozen / FROZEN_TEMPERATURE).softmax(-1)
        )
        return [
            Candidates(*columns) for columns in zip(*(c.split(own.sum(1).tolist()) for c in everything), strict=True)
        ]

    def _encode(
        self,
        frames: Float[Tensor, "R T D"],
        mask: Bool[Tensor, "R T"],
        segments: Float[Tensor, "R N 2"],
        chosen: Bool[Tensor, "R N"],
    ) -> Float[Tensor, "M D"]:
        return encode_segments(self.model.temporal, frames, mask, segments, chosen, self.frames_inside)

    def _proposed(self, batch: Batch, frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Proposed:
        if self.detector is None:
            return self._given(batch)
        coarse: Coarse = self.detector(frames, mask)
        proposals = self.detector.refine(coarse, self.detector.likeliest(coarse))
        windows = batch["windows"]
        center_sec = windows["origin_sec"][:, None] + proposals.center * windows["frame_sec"][:, None]
        since, to = windows["own_sec"].unsqueeze(1).unbind(-1)
        own = proposals.valid & (center_sec >= since) & (center_sec < to)
        return Proposed(proposals.segments, proposals.confidence, own)

    def _given(self, batch: Batch) -> Proposed:
        """Of the file, each in the window that answers for its middle."""
        assert self.given is not None
        windows, device = batch["windows"], batch["mask"].device
        segments, scores = [], []
        for row, video_id in enumerate(batch["video_id"]):
            since, to = windows["own_sec"][row].tolist()
            seconds, score = self.given.of(video_id, (since, to))
            segments.append((seconds.to(device) - windows["origin_sec"][row]) / windows["frame_sec"][row])
            scores.append(score.to(device))
        own = pad_sequence([torch.ones_like(score, dtype=torch.bool) for score in scores], batch_first=True)
        return Proposed(pad_sequence(segments, batch_first=True), pad_sequence(scores, batch_first=True), own)

    def _finished(self, batch: Batch) -> list[tuple[str, Candidates]]:
        """The videos whose last window is in this batch, with all that was found in them."""
        done = []
        windows = zip(batch["video_id"], self.candidates(batch), batch["windows"]["is_last"], strict=True)
        for video_id, found, is_last in windows:
            self._unfinished.setdefault(video_id, []).append(found)
            if is_last:
                done.append((video_id, Candidates.joined(self._unfinished.pop(video_id))))
        return done

    def on_validation_epoch_start(self) -> None:
        """Forget an earlier validation."""
        self._forget()

    def on_test_epoch_start(self) -> None:
        """Forget an earlier test."""
        self._forget()

    def _forget(self) -> None:
        self._unfinished = {}
        for found in self.found.values():
            found.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Note what is found."""
        self.test_step(batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Note what is found, video by video."""
        for video_id, found in self._finished(batch):
            self.found[batch["part"]].add(video_id, found)

    def on_validation_epoch_end(self) -> None:
        """Log what the validation came to."""
        figures = self.found["val"].figures()
        self.log_dict({f"val/{key}": value for key, value in figures.items()}, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Log what every test came to."""
        for name in [name for name in self.found if name != "val"]:
            self.found[name].gather()
            place = "test" if name == "test" else f"test/{name}"
            figures = self.found[name].figures()
            # Alike on all processes already, which Lightning cannot know.
            self.log_dict({f"{place}/{key}": value for key, value in figures.items()}, sync_dist=True)

    def describe(self) -> str:
        """What is trained and how texts are written, in words."""
        if self.given is not None:
            return f"Proposals from {self.given.path}; {self.model.describe()}"
        return f"Proposals by a class-agnostic detector; {self.model.describe()}"


def _actions(batch: Batch) -> Actions:
    """What happens in each window, in frames of the window."""
    windows = batch["windows"]

    def in_frames(spans: Sequence[Tensor]) -> list[Tensor]:
        placed = zip(spans, windows["origin_sec"], windows["frame_sec"], strict=True)
        return [(span - origin) / frame for span, origin, frame in placed]

    return Actions.of(in_frames(windows["segments_sec"]), in_frames(windows["ignored_sec"]))
