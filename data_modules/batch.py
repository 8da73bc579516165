"""The one contract between the two packages: what is on disk, what is loaded, what the model is given."""

from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Record:
    """One video on disk.

    Args:
        video_id: unique in its data set; for logs and for the feature store.
        path: the file.
        target: index into the class names, or -1 where there is none.
    """

    video_id: str
    path: Path
    target: int


@dataclass(frozen=True)
class BrokenVideo:
    """One video that was dropped, and why."""

    video_id: str
    path: str
    reason: str


class Sample(TypedDict):
    """One loaded video: V views of T frames each; pixels or stored features."""

    video: NotRequired[UInt8[Tensor, "V T 3 S S"]]
    features: NotRequired[Float[Tensor, "V T D"]]
    time_sec: Float[Tensor, "V T"]
    target: int
    video_id: str


class Batch(TypedDict):
    """Collated samples. R = B * num_views rows; the views of one video stand next to each other."""

    video: NotRequired[UInt8[Tensor, "R T 3 S S"]]
    features: NotRequired[Float[Tensor, "R T D"]]  # of the frozen CLIP, not normalised
    mask: Bool[Tensor, "R T"]  # True: a real frame; False: padding
    time_sec: Float[Tensor, "R T"]  # when each frame is on screen, seconds from the video's first frame
    text: list[str]  # the candidates
    part: str  # of the trial: train, val, or the name of a test
    target: Int[Tensor, " B"]  # index into text; -1: unknown
    video_id: list[str]
    num_views: int
    broken: list[BrokenVideo]  # what was dropped on the way to this batch
