"""One matrix over the video's vector, which starts at the identity."""

from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from data_modules.errors import InputError
from prompt_video.model.temporal import TemporalEncoder, mean_frame


class LinearAdapter(TemporalEncoder):
    """``W f``: a D x D matrix over the mean of the frames. Scored against texts as ever, so any class name works.

    Added to the loss: ``strength`` * ||W - I||^2 (Frobenius).

    Args:
        width: of the frame features.
        strength: of the pull towards the identity; null: 1 / shots, the training videos that there are of a class.
        max_frames: frames of a video that testing looks at where the data do not say; see `TemporalEncoder`.

    Source: ProLIP (Fahes et al., 2024, arXiv 2410.05270), whose matrix is CLIP's own last projection and starts there.
    Changed: a matrix behind it that starts at the identity, over the mean of a video's frames.
    """

    starts_frozen: ClassVar[bool] = True

    def __init__(self, width: int, strength: float | None = None, max_frames: int = 16) -> None:
        super().__init__(width, num_layers=0, num_heads=1, max_frames=max_frames)
        if strength is not None and strength < 0:
            raise InputError(f"strength of a linear adapter must be 0 or more, or null, not {strength:g}.")
        self.strength, self.shots = strength, 1.0
        # W - I rather than W: what decays weights then draws the matrix to the identity.
        self.change = nn.Parameter(torch.zeros(width, width))

    def set_shots(self, shots: float) -> None:
        """Say how many training videos there are of a class."""
        self.shots = shots

    def forward(self, features: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R D"]:
        """One feature a video."""
        return self._mapped(mean_frame(features, mask))

    def frame_features(self, features: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R T D"]:
        """One feature a frame, whose mean over the real ones is the video's."""
        return self._mapped(super().frame_features(features, mask))

    def _mapped(self, features: Float[Tensor, "*N D"]) -> Float[Tensor, "*N D"]:
        return features + features @ self.change.T

    def penalty(self) -> Float[Tensor, ""]:
        """What is added to the loss."""
        strength = 1 / max(self.shots, 1.0) if self.strength is None else self.strength
        return strength * self.change.square().sum()

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments without the width, ready for JSON."""
        return {"strength": self.strength, "max_frames": self.max_frames}

    def describe(self) -> str:
        """As `TemporalEncoder.describe`."""
        strength = "1 / shots" if self.strength is None else f"{self.strength:g}"
        return f"frames averaged, a learned matrix over them that starts at the identity (strength {strength})"
