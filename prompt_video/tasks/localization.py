"""Localization: what happens when in an untrimmed video? Class-agnostic proposals, each scored against the texts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.modules.untrimmed import UntrimmedDataModule
from data_modules.protocols.trial import Subset, Trial
from data_modules.typed_options import Unpack
from prompt_video.localization.detector import ProposalDetector
from prompt_video.localization.detector_loss import Actions, best_overlap, detector_loss
from prompt_video.localization.external_scores import ExternalScores
from prompt_video.localization.localizer import actions_of, candidates, detected, loaded
from prompt_video.localization.proposals import LoadedProposals
from prompt_video.localization.segment_encoding import encode_segments
from prompt_video.localization.segments import segment_features
from prompt_video.localization.suppression import Candidates, Suppression
from prompt_video.model import losses
from prompt_video.model.examples import Examples
from prompt_video.model.finite_scores import check_scores
from prompt_video.tasks.detection_results import CLIP_ONLY, DetectionResults
from prompt_video.tasks.options import NamingOptions
from prompt_video.tasks.regularizers import check_regularizers
from prompt_video.tasks.segment_naming import SegmentControls

log = logging.getLogger(__name__)


class LocalizationTask(SegmentControls):
    """Find the actions in a video and name them: one proposal stage, one classification stage, trained together.

    Proposals come from an anchor-free detector on the frozen backbone's frame features, or from a file. Frame features
    go through the temporal encoder, are averaged inside each proposal and compared with the prompted class names. The
    score of a detection is the proposal's confidence times the probability of the class; overlapping detections are
    thinned out class by class. Training classifies the annotated segments and the proposals that meet one of them.

    Logged for every test: mAP at each tIoU and its average, of ``clip_only`` scores, and beside them the frozen
    backbone's with ``frozen_templates`` on the same proposals; AR@N and AUC of the proposals; and, where
    ``external_scores`` are given, the mAP of ``with_external`` scores.

    Args:
        detector: makes the proposal stage, given the width of the joint space.
        proposals: JSON of another detector's proposals in ActivityNet's result format, in the place of our own.
        tious: thresholds of mAP; null: those that the data set's benchmark takes.
        suppression: how overlapping detections are thinned out.
        frames_inside: so many frames, evenly spread over a proposal, go through the temporal encoder together, just as
            those of a trimmed video do; null: all frames of the window together, as the paper describes it.
        match_tiou: a proposal that overlaps with an annotated segment by this much is trained on as one of its class.
        external_scores: JSON of video-level class scores of another classifier, in ActivityNet's classification
            format. They never enter ``clip_only``.
        external_weight: their weight in ``with_external``, from 0 to 1.
        text_consistency: weight of 1 - cosine between each learned text feature and the hand-crafted one, added to the
            loss: prompts that stay near it keep what the backbone knows of classes that training does not show.
        video_consistency: weight of 1 - cosine between each feature of a segment and the mean of its frames, added to
            the loss: the same for the temporal encoder.
        feature_noise: standard deviation of a random vector that is added to all frame features of a training window,
            relative to that of those in the batch: the temporal encoder then learns what changes apart from what is
            shown. The detector sees none of it.
        options: those that all tasks share, see `VideoTextTask`.
    """

    monitor: ClassVar[str] = f"val/{CLIP_ONLY}/map_avg"
    extra_modules: ClassVar[tuple[str, ...]] = ("detector",)

    def __init__(
        self,
        detector: Callable[[int], ProposalDetector] = ProposalDetector,
        proposals: Path | None = None,
        tious: Sequence[float] | None = None,
        suppression: Suppression = Suppression(),  # noqa: B008 - it cannot be changed
        frames_inside: int | None = 16,
        match_tiou: float = 0.5,
        external_scores: Path | None = None,
        external_weight: float = 0.5,
        text_consistency: float = 0.0,
        video_consistency: float = 0.0,
        feature_noise: float = 0.0,
        **options: Unpack[NamingOptions],
    ) -> None:
        super().__init__(**options)
        check_regularizers(self.model.prompt, self.model.temporal, text_consistency, video_consistency, feature_noise)
        if not 0 < match_tiou <= 1 or not 0 <= external_weight <= 1:
            raise InputError("model: match_tiou must be in (0, 1] and external_weight in [0, 1].")
        if frames_inside is not None and frames_inside < 1:
            raise InputError(f"model.frames_inside must be 1 or more, or null, not {frames_inside}.")
        if frames_inside is None and self.model.temporal.video_parts > 1:
            raise InputError("model.frames_inside must be a number with a temporal encoder that keeps frames apart.")
        if tious is not None and (not tious or not all(0 < tiou <= 1 for tiou in tious)):
            raise InputError(f"model.tious must be thresholds in (0, 1], at least one, not {list(tious)}.")
        self.loaded_proposals = LoadedProposals(proposals) if proposals is not None else None
        self.detector = detector(self.model.backbone.embed_dim) if self.loaded_proposals is None else None
        self.tious, self.suppression, self.match_tiou = tious, suppression, match_tiou
        self.external_path, self.external_weight = external_scores, external_weight
        self.frames_inside = frames_inside
        self.text_consistency, self.video_consistency = text_consistency, video_consistency
        self.feature_noise = feature_noise
        self.results: dict[str, DetectionResults] = {}
        self._unfinished: dict[str, list[Candidates]] = {}

    def inference_config(self) -> dict[str, Any]:
        """As of all tasks, with the detector and how its proposals are thinned out."""
        own = {
            "detector": self.detector.settings() if self.detector is not None else None,
            "frames_inside": self.frames_inside,
            "suppression": asdict(self.suppression),
        }
        return {**super().inference_config(), **own}

    def make_results(self, trial: Trial) -> None:
        """Get ready for validation and for the tests of a trial.

        Raises:
            InputError: when there are class names that the text head cannot score.
        """
        super().make_results(trial)
        if any(self.model.prompt.unknown(results.class_names) for results in self.results.values()):
            called = self.model.prompt.called
            raise InputError(f"{called} cannot name classes that it is not trained on: take another prompt.")

    def new_results(self, name: str, subset: Subset) -> DetectionResults:
        """Detections; says which videos the files of others leave out."""
        data: UntrimmedDataModule = self.trainer.datamodule  # type: ignore[attr-defined]  # set by every entry point
        owner = cast(UntrimmedDataModule, data.owner_of(name))
        external, index = None, owner.dataset_index
        video_ids = [record.video_id for record in subset.records]
        if self.external_path is not None:
            labels = dict(zip(index.labels, index.class_names, strict=False))
            external = ExternalScores(self.external_path, subset.class_names, labels, index.class_names)
            _tell_missing(self.external_path, external.missing(video_ids), name, len(video_ids))
        if (proposals := self.loaded_proposals) is not None:
            proposals.check(video_ids)
            _tell_missing(proposals.path, proposals.missing(video_ids), name, len(video_ids))
        # It stays on the CPU: figures need double precision, which not every device has.
        return DetectionResults(subset, self.tious or owner.tious, self.suppression, external, self.external_weight)

    def loss(self, batch: Batch) -> Tensor:
        """Losses of the detector, cross-entropy of each segment against its class, and drift from the frozen one."""
        frames, mask, texts = self.model.frame_features(batch), batch["mask"], batch["text"]
        actions = actions_of(batch)
        # By the number of the step, so that a resumed run draws what it would have drawn.
        rng = losses.step_rng(torch.initial_seed(), self.global_step, self.global_rank)
        of_detector, proposals, overlap, best = self._proposals(batch, frames, actions, rng)
        segments = torch.cat([actions.segments, proposals], dim=1)
        positive = torch.cat([actions.real, overlap >= self.match_tiou], dim=1)
        target = _targets(batch, best)[positive]
        frames = losses.feature_noise(frames, mask, self.feature_noise, rng)
        features = encode_segments(self.model.temporal, frames, mask, segments, positive, self.frames_inside)
        text_features = self.model.text_features(texts) if self.text_consistency else None
        scores = self.model.scores(features, texts, text_features)
        if not len(target):
            return of_detector + scores.sum() * 0.0  # of no effect, but it reaches every weight, as on other processes
        loss = F.cross_entropy(scores, target)
        if text_features is not None:
            drift = losses.drift(text_features, self.model.frozen_text_features(texts))
            loss = loss + self.text_consistency * drift.mean()
        if self.video_consistency:
            mean_frames = segment_features(frames, mask, segments)[positive]
            loss = loss + self.video_consistency * losses.drift(features, mean_frames).mean()
        hits = (scores.argmax(-1) == target).float()
        self.log("train/top1", hits.mean(), prog_bar=True, batch_size=len(target))
        return of_detector + loss

    def examples(self, batch: Batch) -> Examples:
        """The annotated segments of the windows."""
        frames, mask, actions = self.model.frame_features(batch), batch["mask"], actions_of(batch)
        videos = encode_segments(self.model.temporal, frames, mask, actions.segments, actions.real, self.frames_inside)
        target = pad_sequence(batch["windows"]["segment_targets"], batch_first=True)
        return Examples(F.normalize(videos, dim=-1), target[actions.real])

    def _proposals(
        self, batch: Batch, frames: Float[Tensor, "R T D"], actions: Actions, rng: np.random.Generator
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "R N 2"], Float[Tensor, "R N"], Int[Tensor, "R N"]]:
        """The detector's loss, the proposals, the best overlap of each with an action, and with which."""
        if self.loaded_proposals is not None:
            segments = loaded(self.loaded_proposals, batch).segments
            return frames.new_zeros(()), segments, *best_overlap(segments, actions)
        assert self.detector is not None
        chance = torch.Generator(frames.device).manual_seed(int(rng.integers(2**63)))
        parts = detector_loss(self.detector, self.detector(frames, batch["mask"], chance), actions)
        for name in ("action", "segment", "refinement", "quality"):
            self.log(f"train/detector_{name}", getattr(parts, name), batch_size=len(frames))
        return parts.total, parts.proposals.segments.detach(), parts.overlap, parts.best

    def _finished(self, batch: Batch) -> list[tuple[str, Candidates]]:
        """The videos whose last window is in this batch, with all candidates in them."""
        finished = []
        frames = self.model.frame_features(batch)
        if self.loaded_proposals is not None:
            proposed = loaded(self.loaded_proposals, batch)
        else:
            assert self.detector is not None
            proposed = detected(self.detector, batch, frames)
        in_windows = candidates(self.model, batch, frames, proposed, self.frames_inside)
        windows = zip(batch["video_id"], in_windows, batch["windows"]["is_last"], strict=True)
        for video_id, own, is_last in windows:
            check_scores((own.confidence[:, None] * own.learned)[None], [video_id])
            self._unfinished.setdefault(video_id, []).append(own)
            if is_last:
                finished.append((video_id, Candidates.joined(self._unfinished.pop(video_id))))
        return finished

    def reset_results(self) -> None:
        """Forget earlier results, and videos that were left in the middle."""
        super().reset_results()
        self._unfinished = {}

    def evaluate(self, batch: Batch) -> None:
        """Note the detections of each video whose last window this is."""
        for video_id, whole in self._finished(batch):
            self.results[batch["subset"]].update(video_id, whole)

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """The detections of each video whose last window this is."""
        rows = []
        for video_id, whole in self._finished(batch):
            kept = self.suppression.keep(whole.segments_sec, whole.confidence[:, None] * whole.learned)
            # As plain values: Lightning walks through what it gets, and takes no frozen dataclass.
            rows.append({"video_id": video_id, "detections": [astuple(one) for one in kept.named(batch["text"])]})
        return rows

    def describe(self) -> str:
        """What is trained and how texts are written, in words."""
        if self.loaded_proposals is not None:
            return f"Proposals from {self.loaded_proposals.path}; {self.model.describe()}"
        return f"Proposals by a class-agnostic detector; {self.model.describe()}"


def _targets(batch: Batch, best: Int[Tensor, "R N"]) -> Int[Tensor, "R M"]:
    """The class of each annotated segment, then that of the one each proposal is best on."""
    targets = pad_sequence(batch["windows"]["segment_targets"], batch_first=True)
    return torch.cat([targets, targets.gather(1, best) if targets.shape[1] else best], dim=1)


def _tell_missing(path: Path, missing: Sequence[str], subset: str, total: int) -> None:
    """Say which videos of a subset a file has nothing of."""
    if missing:
        told = "%s says nothing of %d of the %d videos of '%s', the first being %s"
        log.warning(told, path, len(missing), total, subset, missing[0])
