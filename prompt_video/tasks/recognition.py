"""Recognition: which of the class names is it?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric

from data_modules.batch import Batch, MultiLabelRecord
from data_modules.errors import InputError
from data_modules.files.text_files import cut
from data_modules.protocols.trial import Subset, Trial
from data_modules.typed_options import Unpack
from prompt_video.model import losses
from prompt_video.model.examples import Examples
from prompt_video.model.finite_scores import check_scores
from prompt_video.model.rejection import bank_share, confidences, rule_for
from prompt_video.model.temporal import mean_frame
from prompt_video.model.text_bank import read_bank, without_candidates
from prompt_video.tasks.base import VideoTextTask
from prompt_video.tasks.classification_results import ClassificationResults, combined
from prompt_video.tasks.options import NamingOptions
from prompt_video.tasks.regularizers import check_regularizers


class RecognitionTask(VideoTextTask):
    """Name the action in a video: softmax cross-entropy over all class names.

    Views of one test video are averaged as probabilities. Logged for every test: top-1, top-5 and mean class accuracy,
    and beside them the top-1 of the frozen backbone with ``frozen_templates`` on the same frames.

    Args:
        classes_per_step: class names that a training step scores against, the batch's own and random others; null for
            all, which is exact. The paper takes 400 of Kinetics-700.
        text_consistency: weight of 1 - cosine between each learned text feature and the hand-crafted one, added to the
            loss: prompts that stay near it keep what the backbone knows of classes that training does not show.
        video_consistency: weight of 1 - cosine between each feature of a video and the mean of its frames, added to the
            loss: the same for the temporal encoder.
        none_bank: texts that mean something else, a text file or the name of a list of classes such as ``kinetics700``:
            where a test has videos that show none of the candidates, it is also reported how well the candidates' share
            beside these tells which; null for none. See `Rejection`.
        feature_noise: standard deviation of a random vector that is added to all frame features of a training video,
            relative to that of those in the batch: the temporal encoder then learns what changes apart from what is
            shown.
        options: those that all tasks share, see `VideoTextTask`.
    """

    progress: ClassVar[tuple[str, ...]] = ("top1", "top5", "mean_class")
    sums_to_one: ClassVar[bool] = True  # the probabilities of a video's classes

    def __init__(
        self,
        classes_per_step: int | None = None,
        text_consistency: float = 0.0,
        video_consistency: float = 0.0,
        feature_noise: float = 0.0,
        none_bank: str | None = None,
        **options: Unpack[NamingOptions],
    ) -> None:
        super().__init__(**options)
        if classes_per_step is not None and classes_per_step < 2:
            raise InputError("model: classes_per_step must be 2 or more.")
        check_regularizers(self.model.prompt, self.model.temporal, text_consistency, video_consistency, feature_noise)
        self.classes_per_step = classes_per_step
        self.text_consistency, self.video_consistency = text_consistency, video_consistency
        self.feature_noise = feature_noise
        self.none_bank = read_bank(none_bank) if none_bank is not None else ()
        self.train_top1 = MeanMetric()
        self.results: dict[str, ClassificationResults] = {}
        self.harmonic_means: Mapping[str, tuple[str, str]] = {}

    def check_trials(self, trials: Sequence[Trial]) -> None:
        """Refuse videos that have not one class each."""
        records = (record for trial in trials for subset in trial.subsets.values() for record in subset.records)
        if (several := next((record for record in records if isinstance(record, MultiLabelRecord)), None)) is not None:
            raise InputError(
                f"{several.where}: {several.video_id} has {len(several.labels) or 'no'} labels, and "
                f"{type(self).__name__} names one class of each video; MultiLabelTask names any number, as in the "
                "experiment folder_multilabel."
            )

    def make_results(self, trial: Trial) -> None:
        """Get ready for validation and for the tests of a trial."""
        super().make_results(trial)
        if unread := self.model.prompt.unknown(self.none_bank):
            raise InputError(
                f"model.none_bank has texts such as '{cut(unread[0])}', and {self.model.prompt.called} scores only the "
                "classes that it learned; set it to null."
            )
        self.harmonic_means = trial.harmonic_means

    def new_results(self, name: str, subset: Subset) -> ClassificationResults:
        """Guesses; the frozen backbone's accuracy is of no use in validation, where it never changes."""
        paths = {record.video_id: record.path for record in subset.records}
        return ClassificationResults(subset.class_names, paths, with_frozen=name != "val")

    def loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of each view against its video's class, and how far features have drifted from frozen ones."""
        rng = losses.step_rng(torch.initial_seed(), self.global_step, self.global_rank)
        texts, drawn = self.drawn(batch, rng)
        text_features = self.model.text_features(texts) if self.model.prompt.reads_text else None
        loss, right = self.objective(texts, **drawn, text_features=text_features)
        self.train_top1(right)
        self.log("train/top1", self.train_top1, prog_bar=True, batch_size=len(right))
        return loss

    def shown(self, batch: Batch) -> Int[Tensor, " B"] | Bool[Tensor, "B K"]:
        """What each video shows, as `classification_loss` takes it: the index of its class."""
        return batch["target"]

    def classification_loss(
        self, scores: Float[Tensor, "R K"], target: Int[Tensor, " R"] | Bool[Tensor, "R K"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, " R"]]:
        """The loss of some views, and which of them were named rightly.

        Args:
            scores: of the candidates.
            target: see `shown`.
        """
        return F.cross_entropy(scores, target), (scores.argmax(-1) == target).float()

    def drawn(self, batch: Batch, rng: np.random.Generator) -> tuple[list[str], dict[str, Tensor]]:
        """The candidates of a step, and by name the tensors of `objective` that nothing learned has changed yet.

        Args:
            batch: of at least one video.
            rng: all that is up to chance is drawn from it.
        """
        texts, target = batch["text"], self.shown(batch).repeat_interleave(batch["num_views"], 0)
        if self.classes_per_step is not None and self.classes_per_step < len(texts):
            texts, target = losses.some_candidates(texts, target, self.classes_per_step, rng)
        mask = batch["mask"]
        frames = losses.feature_noise(self.model.frame_features(batch), mask, self.feature_noise, rng)
        drawn = {"frames": frames, "mask": mask, "target": target}
        if self.text_consistency:
            drawn["frozen_texts"] = self.model.frozen_text_features(texts)
        return texts, drawn

    def objective(
        self,
        texts: Sequence[str],
        frames: Float[Tensor, "R T D"],
        mask: Bool[Tensor, "R T"],
        target: Int[Tensor, " R"] | Bool[Tensor, "R K"],
        text_features: Float[Tensor, "K D"] | None = None,
        frozen_texts: Float[Tensor, "K D"] | None = None,
    ) -> tuple[Float[Tensor, ""], Float[Tensor, " R"]]:
        """The loss, and which views were named rightly: of tensors alone, so that torch.func can compute many at once.

        Args:
            texts: the candidates.
            frames: of the frozen backbone, with their noise.
            mask: True at real frames.
            target: index into the candidates, see `shown`.
            text_features: of the candidates; None where the text head has none.
            frozen_texts: the frozen backbone's features of the candidates, for ``text_consistency``.
        """
        video_features = self.model.temporal(frames, mask)
        scores = self.model.scores(video_features, texts, text_features)
        loss, right = self.classification_loss(scores, target)
        if text_features is not None and frozen_texts is not None:
            loss = loss + self.text_consistency * losses.drift(text_features, frozen_texts).mean()
        if self.video_consistency:
            loss = loss + self.video_consistency * losses.drift(video_features, mean_frame(frames, mask)).mean()
        return loss, right

    def examples(self, batch: Batch) -> Examples:
        """Each video's mean over its views, of length 1."""
        views = F.normalize(self.model.video_features(batch), dim=-1)
        return Examples(
            F.normalize(torch.unflatten(views, 0, (-1, batch["num_views"])).mean(1), dim=-1), batch["target"]
        )

    def probabilities(self, batch: Batch) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"]]:
        """Class probabilities of each video, averaged over its views: of this model and of the frozen backbone.

        They are as the model has learned them, without its `calibration`.
        """
        learned, frozen, _ = self._judged(batch, ())
        return learned, frozen

    def _judged(
        self, batch: Batch, bank: Sequence[str]
    ) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"], Float[Tensor, " B"] | None]:
        """The same, and the candidates' share beside a bank; None without one."""
        num_texts, views = len(batch["text"]), (-1, batch["num_views"])
        if bank:
            batch = {**batch, "text": [*batch["text"], *without_candidates(tuple(bank), tuple(batch["text"]))]}
        scores, frozen = self.model.test_scores(batch)
        own, others = scores[:, :num_texts], scores[:, num_texts:]
        learned, frozen = (torch.unflatten(one.softmax(-1), 0, views).mean(1) for one in (own, frozen[:, :num_texts]))
        check_scores(learned, batch["video_id"])
        return learned, frozen, torch.unflatten(bank_share(own, others), 0, views).mean(1) if bank else None

    def evaluate(self, batch: Batch) -> None:
        """Note what each video was taken for; of validation, log the loss too."""
        if not len(batch["target"]) or self.model.prompt.unknown(batch["text"]):
            return
        results = self.results[batch["subset"]]
        learned, frozen, share = self._judged(batch, self.none_bank if results.with_frozen else ())
        results.update(batch["video_id"], batch["target"], learned, frozen, self.calibration, share)
        if batch["subset"] == "val":
            loss = F.nll_loss(learned.clamp(min=1e-12).log(), batch["target"])
            self.log("val/loss", loss, batch_size=len(learned), sync_dist=True)

    def named(self, figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """As of all tasks, and what several tests come to together; tells which were not scored."""
        for name in self.tests:
            if name not in figures:
                self.print(f"{name}: not scored, it has class names that a linear probe never learned")
        return combined(figures, self.harmonic_means, self.monitor.removeprefix("val/"))

    def details(self) -> dict[str, Any]:
        """As of all tasks, and what its probabilities were made with."""
        calibration = {**self.calibration.state(), "says": self.calibration.describe()}
        return {**super().details(), "calibration": calibration}

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """The five likeliest class names of each video, with their probabilities, and as which it counts.

        That is none where it shows none of them, by the checkpoint's rule.
        """
        if not len(batch["target"]):
            return []
        rule = rule_for(self.rejection, tuple(batch["text"]))
        learned, _, share = self._judged(batch, rule.bank if rule else ())
        said = self.calibration.apply(learned)
        best = said.topk(min(5, len(batch["text"])))
        known = torch.ones(len(said)) if rule is None else rule.is_known(confidences(said, share))
        return [
            {
                "video_id": video_id,
                "scores": {batch["text"][k]: p for k, p in zip(indices, values, strict=True)},
                "label": batch["text"][indices[0]] if is_known else None,
            }
            for video_id, indices, values, is_known in zip(
                batch["video_id"], best.indices.tolist(), best.values.tolist(), known.tolist(), strict=True
            )
        ]
