"""Several labels a video: which of the class names does it show, if any?"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.annotations.list_files import BETWEEN_LABELS
from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from data_modules.protocols.trial import Subset, Trial
from data_modules.typed_options import Unpack
from prompt_video.model.finite_scores import check_scores
from prompt_video.model.independent import KEY, IndependentLabels
from prompt_video.model.rejection import rule_for
from prompt_video.tasks.multi_label_results import MultiLabelResults
from prompt_video.tasks.options import NamingOptions
from prompt_video.tasks.recognition import RecognitionTask


class MultiLabelTask(RecognitionTask):
    """Say of every class name whether a video shows it: binary cross-entropy of each, summed over the class names.

    The probability of a class is the sigmoid of its score and of a bias, which all classes share, so that names that
    training never showed have one too. The bias starts where the mean score of some training videos means the share of
    classes that videos show, and is learned, also where nothing else is. Views of one test video are averaged as
    probabilities. Logged for every test: mean average precision over the classes that its videos show, F1 of all
    answers together, and the mean average precision of the frozen backbone with ``frozen_templates``.

    Args:
        threshold: probability from which on a class counts as shown.
        text_consistency: see `RecognitionTask`.
        video_consistency: see `RecognitionTask`.
        feature_noise: see `RecognitionTask`.
        options: those that all tasks share, see `VideoTextTask`.

    Source: the loss of SigLIP (arXiv 2303.15343, equation 1), with class names for captions; where its bias starts
    stands for the prior of RetinaNet (arXiv 1708.02002, section 4.1), since cosines of a trained model are not about 0.
    """

    monitor: ClassVar[str] = "val/map"
    progress: ClassVar[tuple[str, ...]] = ("map", "f1")
    sums_to_one: ClassVar[bool] = False
    extra_modules: ClassVar[tuple[str, ...]] = ("bias",)

    def __init__(
        self,
        threshold: float = 0.5,
        text_consistency: float = 0.0,
        video_consistency: float = 0.0,
        feature_noise: float = 0.0,
        **options: Unpack[NamingOptions],
    ) -> None:
        super().__init__(None, text_consistency, video_consistency, feature_noise, None, **options)
        if self.model.needs_examples:
            raise InputError(
                f"model: {type(self.model.prompt).__name__} takes one class from each training video, and "
                "MultiLabelTask has videos of several; take another method, such as linear_adapter."
            )
        self.bias = nn.Parameter(torch.zeros(()))
        self.threshold = IndependentLabels(0.0, threshold).threshold
        self.results: dict[str, MultiLabelResults] = {}  # type: ignore[assignment]  # of this task

    @property
    def labels(self) -> IndependentLabels:
        """From scores to probabilities, with the bias as it is now."""
        return IndependentLabels(self.bias.item(), self.threshold)

    def check_trials(self, trials: Sequence[Trial]) -> None:
        """Refuse class names that files of several labels could not hold."""
        names = (name for trial in trials for subset in trial.subsets.values() for name in subset.class_names)
        if (joined := next((name for name in names if BETWEEN_LABELS in name), None)) is not None:
            raise InputError(
                f"the class name '{joined}' has a {BETWEEN_LABELS} in it, which stands between the labels of a "
                "video; give it another in data.class_names, or rename its folder."
            )

    def new_results(self, name: str, subset: Subset) -> MultiLabelResults:  # type: ignore[override]  # of this task
        """Probabilities; the frozen backbone's are of no use in validation, where they never change."""
        paths = {record.video_id: record.path for record in subset.records}
        return MultiLabelResults(subset.class_names, self.threshold, paths, with_frozen=name != "val")

    def prepare_for(self, datamodule: VideoDataModule, stage: str) -> None:
        """As of all tasks; before training the bias is started, too."""
        super().prepare_for(datamodule, stage)
        if stage == "fit":
            self.start_bias(datamodule)

    @torch.no_grad()
    def start_bias(self, data: VideoDataModule) -> None:
        """Let the mean score of the first training videos mean the share of classes that training videos show.

        Args:
            data: of one trial, with open feature stores. On several processes each looks at the same videos.

        Raises:
            InputError: when none of the training videos can be read.
        """
        (trial,) = data.trials
        self.to(self.trainer.strategy.root_device)  # where it goes next in any case
        batch = next((batch for batch in data.examples_dataloader() if batch["video_id"]), None)
        if batch is None:
            raise InputError("none of the training videos could be read.")
        scores = self.model(data.transfer_batch_to_device(batch, self.device, 0))
        shown = sum(len(record.targets) for record in trial.train.records)
        share = (shown + 0.5) / (len(trial.train.records) * len(trial.train.class_names) + 1)  # neither 0 nor 1
        self.bias.fill_(math.log(share / (1 - share)) - scores.mean().item())

    def shown(self, batch: Batch) -> Bool[Tensor, "B K"]:
        """What each video shows: True at its classes."""
        return batch["targets"]

    def classification_loss(
        self, scores: Float[Tensor, "R K"], target: Int[Tensor, " R"] | Bool[Tensor, "R K"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, " R"]]:
        """The loss of some views, and of which of them the best class is one that they show."""
        each = F.binary_cross_entropy_with_logits(scores + self.bias, target.to(scores), reduction="none")
        return each.sum(-1).mean(), target.gather(-1, scores.argmax(-1, keepdim=True)).squeeze(-1).float()

    def probabilities(self, batch: Batch) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B K"]]:
        """Of each class by itself, averaged over views; the frozen backbone's are half of 1 and its cosine."""
        scores, frozen = self.model.test_scores(batch)
        cosine = frozen.double() * self.model.backbone.temperature
        views = self.labels.probabilities(scores), (1 + cosine) / 2
        learned, beside = (torch.unflatten(values, 0, (-1, batch["num_views"])).mean(1) for values in views)
        check_scores(learned, batch["video_id"])
        return learned, beside.clamp(0, 1)

    def evaluate(self, batch: Batch) -> None:
        """Note what each video was found to show; of validation, log the loss too."""
        if not len(batch["target"]) or self.model.prompt.unknown(batch["text"]):
            return
        learned, frozen = self.probabilities(batch)
        self.results[batch["subset"]].update(batch["video_id"], batch["targets"], learned, frozen)
        if batch["subset"] == "val":
            each = F.binary_cross_entropy(learned, batch["targets"].to(learned), reduction="none")
            self.log("val/loss", each.sum(-1).mean().float(), batch_size=len(learned), sync_dist=True)

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """What each video shows, and the five likeliest class names or all that it shows, with their probabilities."""
        if not len(batch["target"]):
            return []
        rows, rule = [], rule_for(self.rejection, tuple(batch["text"]))
        threshold = self.threshold if rule is None or rule.bank else rule.threshold
        for video_id, own in zip(batch["video_id"], self.probabilities(batch)[0], strict=True):
            best = own.argsort(descending=True, stable=True)[: max(5, int((own >= threshold).sum()))].tolist()
            scores = {batch["text"][k]: own[k].item() for k in best}
            shown = [name for name, probability in scores.items() if probability >= threshold]
            rows.append({"video_id": video_id, "scores": scores, "label": BETWEEN_LABELS.join(shown) or None})
        return rows

    def details(self) -> dict[str, Any]:
        """Average precision of each class, by test; null where no video shows it."""
        return {"class_average_precision": {name: self.results[name].by_class() for name in self.tests}}

    def inference_config(self) -> dict[str, Any]:
        """As of all tasks, and how scores become probabilities."""
        return {**super().inference_config(), KEY: {"bias": self.bias.item(), "threshold": self.threshold}}

    def describe(self) -> str:
        """What is trained, how texts are written, and when a class counts as shown, in words."""
        return f"{super().describe()} Several labels: {self.labels.describe()}."
