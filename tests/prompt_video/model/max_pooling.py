"""A method of one's own, in one file: the largest of each number over the frames of a video."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from prompt_video.model.temporal import TemporalEncoder


class MaxPooling(TemporalEncoder):
    """A video as the largest value of each feature over its frames; nothing is learned here.

    Args:
        width: of the frame features.
        max_frames: see `TemporalEncoder`.
    """

    def __init__(self, width: int, max_frames: int = 16) -> None:
        super().__init__(width, num_layers=0, num_heads=1, max_frames=max_frames)

    def forward(self, features: Float[Tensor, "R T D"], mask: Bool[Tensor, "R T"]) -> Float[Tensor, "R D"]:
        """Unit vectors of the videos; frames that are padding are never the largest."""
        frames = F.normalize(features, dim=-1).masked_fill(~mask.unsqueeze(-1), float("-inf"))
        return F.normalize(frames.amax(1), dim=-1)

    def settings(self) -> dict[str, int]:
        """The constructor's arguments without the width, ready for JSON: a checkpoint keeps them."""
        return {"max_frames": self.max_frames}

    def describe(self) -> str:
        """In a few words, for reports."""
        return "the largest of each feature over the frames"
