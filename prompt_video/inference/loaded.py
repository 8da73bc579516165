"""A model that scores one's own videos against one's own words."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.inference.curve import LEAST_SCORE, MOST_SEGMENTS, video_segments
from prompt_video.inference.detecting import SegmentDetector
from prompt_video.inference.frames import Progress, all_features, open_video, view_features
from prompt_video.inference.inference_config import InferenceConfig
from prompt_video.inference.kept_views import KeptViews, Views
from prompt_video.inference.notebook import MOST_SHOWN, html_table
from prompt_video.inference.rejecting import bank_of
from prompt_video.inference.results import SimilarityCurve, VideoScores, VideoSegments
from prompt_video.inference.similarity import similarity_curve
from prompt_video.inference.toy import toy_notice
from prompt_video.io.readable import check_unicode
from prompt_video.model.calibration import Calibration
from prompt_video.model.embedding import refuse_probe, refuse_weighted, text_vectors, video_vectors
from prompt_video.model.finite_scores import check_scores
from prompt_video.model.independent import IndependentLabels
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.rejection import Rejection, bank_share, confidences, rule_for
from prompt_video.model.templates import describe
from prompt_video.model.video_text_model import VideoTextModel

TEXT_CHUNK = 512  # texts that are encoded at a time, so that ten thousand fit in memory

Task = Literal["recognition", "localization", "retrieval"]
_TASKS: dict[str, Task] = {
    "RecognitionTask": "recognition",
    "MultiLabelTask": "recognition",
    "LocalizationTask": "localization",
    "RetrievalTask": "retrieval",
}


class LoadedModel:
    """A model that scores videos against texts; see `prompt_video.load`, which makes it.

    Args:
        model: the model.
        task: its kind, and which frames it scores, see `VideoTextTask.inference_config`; empty if that is not known.
        class_names: the candidates in training.
        detector: its detector, if it has one.
        calibration: of its probabilities; None: they are as it learned them.
        rejection: when a video shows none of the candidates; None: each shows one.
    """

    def __init__(
        self,
        model: VideoTextModel,
        task: Mapping[str, Any],
        class_names: list[str],
        detector: SegmentDetector | None,
        calibration: Calibration | None = None,
        rejection: Rejection | None = None,
    ) -> None:
        self.model, self.class_names, self.detector = model, class_names, detector
        self.calibration, self.rejection = calibration or Calibration(), rejection
        self.kept_views: KeptViews | None = None  # where features of whole videos are kept from time to time
        self.model.text_chunk = TEXT_CHUNK
        self.task: Task | None = _TASKS.get(str(task.get("kind")), "localization" if detector else None)
        self.independent = IndependentLabels.of(task)
        self.config = InferenceConfig.of(task, model.backbone.frames, model.temporal.max_frames)

    @property
    def has_detector(self) -> bool:
        """Whether it was trained to find actions in long videos."""
        return self.detector is not None

    @property
    def notice(self) -> str | None:
        """What people must know of its figures, see `toy_notice`; None where there is nothing."""
        return toy_notice(self.model.backbone.name)

    def has_cut(self, text: str) -> bool:
        """Whether only the beginning of a text that it was asked about fitted into it."""
        return self.model.prompt.has_cut(text) or self.model.frozen_prompt.has_cut(text)

    def describe(self) -> str:
        """What it is, in words."""
        if self.task is None and isinstance(self.model.prompt, TemplatePrompt) and not self.model.temporal.num_layers:
            prompts = f"{describe(self.model.prompt.templates)} at temperature {self.model.temperature.item():.4g}"
            return (
                f"frozen backbone '{self.model.backbone.name}' with hand-written prompts, {prompts}; nothing is learned"
            )
        calibrated = f" Calibrated: {self.calibration.describe()}." if self.calibration.num_videos else ""
        return f"{self.task or 'a model'}: {self.model.describe()}{calibrated}"

    def __repr__(self) -> str:
        names = f", {len(self.class_names)} class names" if self.class_names else ""
        return f"LoadedModel({self.describe()}{names}, on {self.model.log_temperature.device})"

    def _repr_html_(self) -> str:
        rows = [("model", self.describe()), ("computes on", str(self.model.log_temperature.device))]
        if self.class_names:
            more = f" and {left} more" if (left := len(self.class_names) - MOST_SHOWN) > 0 else ""
            rows.append(("learned classes", ", ".join(self.class_names[:MOST_SHOWN]) + more))
        if self.notice:
            rows.append(("note", self.notice))
        return html_table(rows)

    def rule_for(self, texts: Sequence[str]) -> Rejection | None:
        """When a video shows none of these texts; None where that is not said of them."""
        rule = rule_for(self.rejection, tuple(texts))
        if self.independent is not None:
            return rule or Rejection(self.independent.threshold)
        if rule is not None:
            rule.check(texts)
        return rule

    def probabilities(self, scores: Float[Tensor, "V K"]) -> Float[Tensor, "1 K"]:
        """Of texts for one video: among all of them, or of each by itself where the model learned several labels.

        Args:
            scores: of each view.
        """
        if self.independent is not None:
            return self.independent.probabilities(scores).mean(0, keepdim=True).float()
        return self.calibration.apply(scores.softmax(-1).mean(0, keepdim=True))

    @contextmanager
    def ruled_by(self, rule: Rejection | None) -> Iterator[None]:
        """Answer by another rule meanwhile."""
        own, self.rejection = self.rejection, rule
        try:
            yield
        finally:
            self.rejection = own

    @torch.inference_mode()
    def score(self, video: str | Path, texts: Sequence[str]) -> VideoScores:
        """How well each text fits a video as a whole.

        Args:
            video: the file.
            texts: the candidates, any number of them.

        Raises:
            InputError: when there is no text or no such file, or a linear probe is to read texts that it never learned.
            BrokenVideoError: when the video cannot be used.
        """
        self.check(texts)
        features, duration_sec = self._views(Path(video))
        return self.score_features(features, texts, Path(video), duration_sec)

    @torch.inference_mode()
    def score_features(
        self, features: Float[Tensor, "V T D"], texts: Sequence[str], video: Path, duration_sec: float
    ) -> VideoScores:
        """As `score`, of frame features.

        Args:
            features: of the backbone, of some views of a video.
            texts: the candidates.
            video: what they are of.
            duration_sec: of it.
        """
        names, rule = list(texts), self.rule_for(texts)
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        scores, _ = self.model.test_scores(
            {"features": features, "mask": mask, "text": [*names, *bank_of(rule)]}  # type: ignore[typeddict-item]  # all that it looks at
        )
        check_scores(scores[None], [str(video)])
        scores, bank = scores[:, : len(names)], scores[:, len(names) :]
        probability = self.probabilities(scores)
        share = bank_share(scores, bank).mean(0, keepdim=True) if rule is not None and rule.bank else None
        confidence = confidences(probability, share)
        temperature = self.model.temperature if self.model.prompt.reads_text else 1.0
        return VideoScores(
            video,
            tuple(names),
            (scores * temperature).mean(0).cpu(),
            probability[0].cpu(),
            duration_sec,
            confidence.item(),
            rule is None or bool(rule.is_known(confidence)),
            self._threshold(rule),
        )

    def _threshold(self, rule: Rejection | None) -> float | None:
        """From which probability on a video shows a text: the rule's, where it says none of a bank."""
        if self.independent is None:
            return None
        return self.independent.threshold if rule is None or rule.bank else rule.threshold

    def _views(self, video: Path) -> Views:
        """Features of the moments that stand for a video, and its duration in seconds."""

        def made() -> Views:
            with open_video(video) as reader:
                return view_features(reader, self.config, self.model.backbone), reader.timeline.duration_sec

        if self.kept_views is None:
            return made()
        backbone = self.model.backbone
        recipe = f"{backbone.fingerprint}/{backbone.dtype}/{backbone.configured}/{self.config.recipe()}"
        features, duration_sec = self.kept_views.views(video, recipe, made)
        return features.to(backbone.mean.device), duration_sec

    @torch.inference_mode()
    def embed_video(self, video: str | Path) -> Float[Tensor, " E"]:
        """A unit vector, whose product with one of `embed_text` is their cosine.

        Raises:
            InputError: when there is no such file, or the model has no single vector of a video.
            BrokenVideoError: when the video cannot be used.
        """
        refuse_weighted(self.model)
        with open_video(Path(video)) as reader:
            features = view_features(reader, self.config, self.model.backbone)
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        vectors = video_vectors(self.model, features, mask)
        check_scores(vectors[None], [str(video)])
        return F.normalize(vectors.mean(0), dim=-1).cpu()

    @torch.inference_mode()
    def embed_text(self, texts: Sequence[str]) -> Float[Tensor, "K E"]:
        """One unit vector a text.

        Raises:
            InputError: when there is no text, or the model is a linear probe, which reads none.
        """
        self.check(texts)
        refuse_probe(type(self.model.prompt))
        return text_vectors(self.model, list(texts)).cpu()

    @torch.inference_mode()
    def similarity(
        self, video: str | Path, texts: Sequence[str], span_sec: float | None = None, progress: Progress | None = None
    ) -> SimilarityCurve:
        """How well each text fits a video, moment by moment: overlapping spans of it are compared.

        Args:
            video: the file.
            texts: the candidates.
            span_sec: length of a span; None: a tenth of the video, from 1 to 4 seconds.
            progress: told the seconds that are done, and those of the whole video.

        Raises:
            InputError: when there is no text or no such file, or the model is a linear probe, which reads none.
            BrokenVideoError: when the video cannot be used.
        """
        return similarity_curve(self, Path(video), texts, span_sec, progress)

    @torch.inference_mode()
    def segments(
        self,
        video: str | Path,
        texts: Sequence[str],
        *,
        max_segments: int = MOST_SEGMENTS,
        min_score: float = LEAST_SCORE,
        progress: Progress | None = None,
    ) -> VideoSegments:
        """What happens when: with the checkpoint's detector, or, without one, where similarity is high.

        Args:
            video: the file, of any length.
            texts: the candidates.
            max_segments: of all texts together, the best.
            min_score: what scores less is left out.
            progress: told the seconds that are done, and those of the whole video.

        Raises:
            InputError: when there is no text or no such file, or a linear probe is to read texts that it never learned.
            BrokenVideoError: when the video cannot be used.
        """
        if self.detector is None:
            curve = self.similarity(video, texts, progress=progress)
            return video_segments(curve, min_score, max_segments, self.rule_for(texts))
        self.check(texts)
        rule = self.rule_for(texts)
        rate = self.config.frame_rate
        with open_video(Path(video)) as reader:
            features, _ = all_features(reader, rate, self.config.crops[0], self.model.backbone, progress)
            stored = reader.timeline.ticks(rate)
        suppression = dataclasses.replace(self.detector.suppression, min_score=min_score, max_detections=max_segments)
        detector = dataclasses.replace(self.detector, suppression=suppression)
        kept = detector.detect(self.model, features, stored, rate, self.config.windows, list(texts), rule, str(video))
        return VideoSegments(Path(video), tuple(texts), kept.named(texts), stored.duration_sec, "detector", rule)

    def check(self, texts: Sequence[str]) -> None:
        """Refuse what cannot be scored.

        Raises:
            InputError: when there is no text, one is empty or no text, or a linear probe never learned it.
        """
        if isinstance(texts, str):
            raise InputError("texts must be a list of them, not one string.")
        if not texts:
            raise InputError("there is no text to compare the video with; name one class or more.")
        if any(not text.strip() for text in texts):
            raise InputError("one of the texts is empty; take it out, or write what it should be.")
        check_unicode(texts)
        if unknown := self.model.prompt.unknown([*texts, *bank_of(self.rejection)]):
            known = len(self.model.prompt.vocabulary or ())
            raise InputError(
                f"this model is {self.model.prompt.called}: it scores the {known} classes that it learned and reads no "
                f"other text, such as '{unknown[0][:60]}'. Take a model that learned prompts."
            )
