"""Recognition: which of the class names is it?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.protocols.trial import Trial
from prompt_video.model import losses
from prompt_video.model.temporal import mean_frame
from prompt_video.reports.media import Shown
from prompt_video.reports.recognition_files import write_tables
from prompt_video.reports.recognition_media import recognition_shown
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.classification_results import ClassificationResults, combined
from prompt_video.tasks.finite import check_scores
from prompt_video.tasks.regularizers import check_regularizers


class RecognitionTask(VideoTextTask):
    """Name the action in a video: softmax cross-entropy over all class names.

    Views of one test video are averaged as probabilities. Logged for every test: top-1, top-5 and mean class accuracy,
    and beside them the top-1 of the frozen CLIP with ``frozen_templates`` on the same frames.

    Args:
        classes_per_step: class names that a training step scores against, the batch's own and random others; null for
            all, which is exact. The paper takes 400 of Kinetics-700.
        text_consistency: weight of 1 - cosine between each learned text feature and the hand-crafted one, added to the
            loss: prompts that stay near it keep what CLIP knows of classes that training does not show.
        video_consistency: weight of 1 - cosine between each feature of a video and the mean of its frames, added to the
            loss: the same for the temporal encoder.
        feature_noise: standard deviation of a random vector that is added to all frame features of a training video,
            relative to that of those in the batch: the temporal encoder then learns what changes apart from what is
            shown.
        options: those that all tasks share, see `VideoTextTask`.
    """

    def __init__(
        self,
        classes_per_step: int | None = None,
        text_consistency: float = 0.0,
        video_consistency: float = 0.0,
        feature_noise: float = 0.0,
        **options: Any,  # noqa: ANN401 - resolved and type-checked by the command line, from the base class
    ) -> None:
        super().__init__(**options)
        if classes_per_step is not None and classes_per_step < 2:
            raise InputError("model: classes_per_step must be 2 or more.")
        check_regularizers(self.model.prompt, text_consistency, video_consistency, feature_noise)
        self.classes_per_step = classes_per_step
        self.text_consistency, self.video_consistency = text_consistency, video_consistency
        self.feature_noise = feature_noise
        self.outcomes: dict[str, ClassificationResults] = {}

    def make_metrics(self, trial: Trial) -> None:
        """Accuracies for validation and for each test."""
        self.trial = trial
        self.train_top1 = MeanMetric().to(self.device)
        num_classes = len((trial.val or trial.train).class_names)
        self.val_metrics = MetricCollection(
            {
                "top1": MulticlassAccuracy(num_classes, average="micro"),
                "top5": MulticlassAccuracy(num_classes, top_k=min(5, num_classes), average="micro"),
                "mean_class": MulticlassAccuracy(num_classes, average="macro"),
            },
            prefix="val/",
        ).to(self.device)
        self.outcomes = {name: ClassificationResults(subset.class_names) for name, subset in trial.tests.items()}

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of each view against its video's class, and how far features have drifted from frozen CLIP."""
        rng = losses.step_rng(torch.initial_seed(), self.global_step, self.global_rank)
        texts, target = batch["text"], batch["target"].repeat_interleave(batch["num_views"])
        if self.classes_per_step is not None and self.classes_per_step < len(texts):
            texts, target = losses.some_candidates(texts, target, self.classes_per_step, rng)
        mask = batch["mask"]
        frames = losses.feature_noise(self.model.frame_features(batch), mask, self.feature_noise, rng)
        video_features = self.model.temporal(frames, mask)
        text_features = self.model.text_features(texts) if self.text_consistency else None
        scores = self.model.scores(video_features, texts, text_features)
        loss = F.cross_entropy(scores, target)
        if text_features is not None:
            drift = losses.drift(text_features, self.model.frozen_text_features(texts))
            loss = loss + self.text_consistency * drift.mean()
        if self.video_consistency:
            loss = loss + self.video_consistency * losses.drift(video_features, mean_frame(frames, mask)).mean()
        self.train_top1((scores.argmax(-1) == target).float())
        self.log("train/top1", self.train_top1, prog_bar=True, batch_size=len(target))
        return loss

    def probabilities(self, batch: Batch) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"]]:
        """Class probabilities of each video, averaged over its views: of this model and of the frozen CLIP."""
        learned, frozen = (
            torch.unflatten(scores.softmax(-1), 0, (-1, batch["num_views"])).mean(1)
            for scores in self.model.test_scores(batch)
        )
        check_scores(learned, batch["video_id"])
        return learned, frozen

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Accuracies and loss on validation videos."""
        if not len(batch["target"]):
            return
        scores, _ = self.probabilities(batch)
        self.val_metrics.update(scores, batch["target"])
        self.log_dict(self.val_metrics, prog_bar=True, batch_size=len(scores))
        loss = F.nll_loss(scores.clamp(min=1e-12).log(), batch["target"])
        self.log("val/loss", loss, batch_size=len(scores), sync_dist=True)

    def on_test_epoch_start(self) -> None:
        """Forget an earlier test."""
        for outcome in self.outcomes.values():
            outcome.reset()

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Note what each test video was taken for."""
        if not len(batch["target"]) or not self._can_score(batch["text"]):
            return
        self.outcomes[batch["subset"]].update(batch["video_id"], batch["target"], *self.probabilities(batch))

    def on_test_epoch_end(self) -> None:
        """Log every test by itself and what the tests come to together."""
        figures: dict[str, dict[str, float]] = {}
        for name, outcome in self.outcomes.items():
            outcome.gather()
            if outcome.videos:
                figures[name] = outcome.figures()
            else:
                self.print(f"{name}: not scored, it has class names that a linear probe never learned")
        # Alike on all processes already, which Lightning cannot know.
        self.log_dict(combined(figures, self.trial.harmonic_means), sync_dist=True)

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """The five likeliest class names of each video, with their probabilities."""
        if not len(batch["target"]):
            return []
        best = self.probabilities(batch)[0].topk(min(5, len(batch["text"])))
        return [
            {"video_id": video_id, "scores": {batch["text"][k]: p for k, p in zip(indices, values, strict=True)}}
            for video_id, indices, values in zip(
                batch["video_id"], best.indices.tolist(), best.values.tolist(), strict=True
            )
        ]

    def write_tables(self, folder: Path) -> None:
        """Accuracy by class, every prediction, and the confusion matrix (rows: truth) of each test, as CSV files."""
        for name, outcome in self.outcomes.items():
            if outcome.videos:
                write_tables(folder, "" if name == "test" else f"_{name}", outcome)

    def shown(self) -> dict[str, Shown]:
        """Confusion, accuracy by class, and some videos of every test; and the words near the prompts."""
        scored = {name: outcome for name, outcome in self.outcomes.items() if outcome.videos}
        paths = {name: {r.video_id: r.path for r in subset.records} for name, subset in self.trial.tests.items()}
        return {**super().shown(), **recognition_shown(scored, paths)}

    def _can_score(self, texts: Sequence[str]) -> bool:
        return not self.model.prompt.unknown(texts)
