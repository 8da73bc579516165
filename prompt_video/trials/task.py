"""TrialsTask: the models of a stack of trials trained at a time, as each would be trained by itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.model import losses
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.temporal import mean_frame
from prompt_video.tasks.classification_results import ClassificationResults
from prompt_video.tasks.finite import check_scores
from prompt_video.tasks.optimization import Optimization
from prompt_video.trials.loading import TrialBatch
from prompt_video.trials.stack import Texts, TrialStack

CHECKPOINT_FORMAT = 1


class TrialsTask(LightningModule):
    """What `RecognitionTask` does, for each trial of a stack.

    Args:
        stack: the trials' models.
        names: of the trials; a checkpoint goes on with the same ones only.
        seeds: of the trials.
        optimization: made for all trials' learned weights together. It must change each number on its own, as SGD and
            AdamW do: one that looks at a tensor as a whole would mix the trials.
        text_consistency: as of `RecognitionTask`.
        video_consistency: as of `RecognitionTask`.
        feature_noise: as of `RecognitionTask`.
    """

    def __init__(
        self,
        stack: TrialStack,
        names: Sequence[str],
        seeds: Sequence[int],
        optimization: Optimization,
        text_consistency: float = 0.0,
        video_consistency: float = 0.0,
        feature_noise: float = 0.0,
    ) -> None:
        super().__init__()
        assert len(names) == stack.num_trials
        self.stack, self.names, self.optimization = stack, list(names), optimization
        self.seeds = list(seeds)
        self.text_consistency, self.video_consistency, self.feature_noise = (
            text_consistency,
            video_consistency,
            feature_noise,
        )
        self.outcomes: list[dict[str, ClassificationResults]] = [{} for _ in names]
        self.strict_loading = False  # as of `VideoTextTask`

    def losses(self, batch: TrialBatch) -> Float[Tensor, " G"]:
        """Each trial's own loss, as that of `RecognitionTask`."""
        stack, texts = self.stack, batch["texts"]
        target = batch["target"].repeat_interleave(batch["num_views"], dim=1)
        frames, mask = batch["features"], batch["mask"]
        if self.feature_noise:
            frames = self._noisy(frames, mask, target)
        video_features = stack.video_features(frames, mask)
        text_features = None if isinstance(stack.prompt, LinearProbe) else stack.text_features(texts)
        if text_features is None:
            similarity = stack.scores(video_features, texts)
        else:
            similarity = stack.similarity(video_features, text_features, texts)
        loss = classification(similarity, target)
        if self.text_consistency and text_features is not None:
            drift = losses.drift(text_features, stack.frozen_text_features(texts))
            loss = loss + self.text_consistency * _average(drift, stack.present(texts))
        if self.video_consistency:
            mean = mean_frame(frames.flatten(0, 1), mask.flatten(0, 1)).view(video_features.shape)
            loss = loss + self.video_consistency * _average(losses.drift(video_features, mean), target >= 0)
        return loss

    def _noisy(self, frames: Tensor, mask: Tensor, target: Tensor) -> Float[Tensor, "G R T D"]:
        """Each trial's own noise, on its own rows."""
        noisy = frames.clone()
        for trial, (seed, count) in enumerate(zip(self.seeds, target.ge(0).sum(1).tolist(), strict=True)):
            rng = losses.step_rng(seed, self.global_step)
            noisy[trial, :count] = losses.feature_noise(
                frames[trial, :count], mask[trial, :count], self.feature_noise, rng
            )
        return noisy

    def training_step(self, batch: TrialBatch, batch_idx: int) -> Tensor:
        """The trials' losses added up, so that each trial's weights get the gradient of its own."""
        loss = self.losses(batch)
        self.log("train/loss", loss.detach().mean(), prog_bar=True, batch_size=len(self.names))
        return loss.sum()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """As of `VideoTextTask`, for stacked weights."""
        return self.optimization.configure(self.stack, int(self.trainer.estimated_stepping_batches), stacked=True)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip each trial's gradient by its own norm."""
        if gradient_clip_val and gradient_clip_algorithm == "norm":
            clip_each_by_norm(list(self.stack.learned().values()), float(gradient_clip_val))
        elif gradient_clip_val:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_test_epoch_start(self) -> None:
        """Forget an earlier test."""
        self.outcomes = [{} for _ in self.names]

    def test_step(self, batch: TrialBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Note what each test video was taken for; `outcomes` says it, trial by trial and test by test."""
        if not self._can_score(batch["texts"]):
            return
        scores = self.stack.test_scores(batch["features"], batch["mask"], batch["texts"])
        learned, frozen = (
            torch.unflatten(each.softmax(-1), 1, (-1, batch["num_views"])).mean(2).cpu() for each in scores
        )
        target = batch["target"].cpu()
        for trial, (texts, videos) in enumerate(zip(batch["texts"], batch["video_id"], strict=True)):
            outcome = self.outcomes[trial].setdefault(batch["subset"], ClassificationResults(texts))
            own = slice(len(videos))
            probabilities = [each[trial, own, : len(texts)] for each in (learned, frozen)]
            check_scores(probabilities[0], videos)
            outcome.update(videos, target[trial, own], *probabilities)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]  # noqa: ANN401
        """The learned weights only, as of `VideoTextTask`."""
        learned = {f"stack.{name}" for name in self.stack.learned()}
        return {name: value for name, value in super().state_dict(*args, **kwargs).items() if name in learned}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what is needed to refuse other trials."""
        checkpoint["trials"] = self._about()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to go on from a checkpoint of other trials."""
        if checkpoint.get("trials") != self._about():
            raise InputError("this checkpoint is of other trials, of another CLIP, or of other settings.")
        assert checkpoint["state_dict"].keys() == {f"stack.{name}" for name in self.stack.learned()}

    def _about(self) -> Mapping[str, Any]:
        shapes = {name: list(weight.shape) for name, weight in self.stack.learned().items()}
        settings = {"prompt": self.stack.prompt.settings(), "temporal": self.stack.temporal.settings()}
        about = {"format": CHECKPOINT_FORMAT, "names": self.names, "shapes": shapes, **settings}
        return about | {"clip": self.stack.clip.fingerprint, "class_names": self.stack.class_names}

    def _can_score(self, texts: Texts) -> bool:
        known = self.stack.class_names
        return not isinstance(self.stack.prompt, LinearProbe) or all(
            set(own) <= set(learned) for own, learned in zip(texts, known, strict=True)
        )


def classification(similarity: Float[Tensor, "G R K"], target: Int[Tensor, "G R"]) -> Float[Tensor, " G"]:
    """Each trial's softmax cross-entropy, averaged over its videos.

    Args:
        similarity: minus infinity where a trial has no text.
        target: -1 where a trial has no video.
    """
    each = F.cross_entropy(similarity.transpose(1, 2), target, ignore_index=-1, reduction="none")
    return _average(each, target >= 0)


def _average(values: Float[Tensor, "G N"], counts: Bool[Tensor, "G N"]) -> Float[Tensor, " G"]:
    return values.masked_fill(~counts, 0).sum(1) / counts.sum(1).clamp(min=1)


def clip_each_by_norm(weights: Sequence[Tensor], most: float) -> None:
    """Scale down each trial's gradient to a norm of ``most``, as torch's ``clip_grad_norm_`` does for one."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if not gradients:
        return
    norm = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)  # (G,)
    share = (most / (norm + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(share.view(-1, *[1] * (gradient.ndim - 1)))
