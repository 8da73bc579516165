"""Classification against texts that stays near what the frozen CLIP makes of texts and frames."""

from abc import ABC
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.model import losses
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.tasks.base import VideoTextTask


class RegularizedTask(VideoTextTask, ABC):
    """What tasks that name classes share: cross-entropy, and guards for classes that training does not show.

    Args:
        text_consistency: weight of 1 - cosine between each learned text feature and the hand-crafted one, added to the
            loss: prompts that stay near it keep what CLIP knows of classes that training does not show.
        video_consistency: weight of 1 - cosine between each feature of a video or a segment and the mean of its frames,
            added to the loss: the same for the temporal encoder.
        feature_noise: standard deviation of a random vector that is added to all frame features of a training video or
            window, relative to that of those in the batch: the temporal encoder then learns what changes apart from
            what is shown.
        options: those that all tasks share, see `VideoTextTask`.
    """

    def __init__(
        self,
        text_consistency: float = 0.0,
        video_consistency: float = 0.0,
        feature_noise: float = 0.0,
        **options: Any,  # noqa: ANN401 - resolved and type-checked by the command line, from the base class
    ) -> None:
        super().__init__(**options)
        if min(text_consistency, video_consistency, feature_noise) < 0:
            raise InputError("model: text_consistency, video_consistency and feature_noise must be 0 or more.")
        if text_consistency and isinstance(self.model.prompt, LinearProbe):
            raise InputError("model: a linear probe has no text features that text_consistency could pull at.")
        self.text_consistency, self.video_consistency, self.feature_noise = (
            text_consistency,
            video_consistency,
            feature_noise,
        )

    def noisy(
        self, frames: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"], rng: np.random.Generator
    ) -> Float[Tensor, "R T D"]:
        """Frame features with the noise that is asked for."""
        return losses.feature_noise(frames, mask, self.feature_noise, rng) if self.feature_noise else frames

    def classification(
        self,
        features: Float[Tensor, "M D"],
        mean_frames: Callable[[], Float[Tensor, "M D"]],
        texts: Sequence[str],
        target: Int[Tensor, " M"],
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "M K"]]:
        """Cross-entropy, and how far features have drifted from the frozen CLIP's.

        Args:
            features: of videos or segments, by the temporal encoder.
            mean_frames: gives what frozen CLIP makes of the same.
            texts: the candidates.
            target: index into them.

        Returns:
            The loss, and the scores of all candidates.
        """
        if isinstance(self.model.prompt, LinearProbe):
            scores, drift = self.model.scores(features, texts), None
        else:
            text_features = self.model.text_features(texts)
            scores = self.model.similarity(features, text_features)
            drift = (
                losses.drift(text_features, self.model.frozen_text_features(texts)) if self.text_consistency else None
            )
        if not len(target):
            return scores.sum() * 0.0, scores  # of no effect, but it reaches every weight, as on other processes
        loss = F.cross_entropy(scores, target)
        if drift is not None:
            loss = loss + self.text_consistency * drift.mean()
        if self.video_consistency:
            loss = loss + self.video_consistency * losses.drift(features, mean_frames()).mean()
        return loss, scores
