"""What a model says of one video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from data_modules.annotations.activitynet_format import Detection


class Ranked(NamedTuple):
    """One text for one video."""

    text: str
    probability: float
    similarity: float


@dataclass(frozen=True, eq=False)
class VideoScores:
    """How well each of some texts fits a whole video.

    Args:
        video: the file.
        texts: the candidates.
        similarity: cosine of each text, in [-1, 1]; of a linear probe, which has none, its own scores.
        probability: of each text among all of them; they sum to 1.
        duration_sec: of the video.
    """

    video: Path
    texts: tuple[str, ...]
    similarity: Float[Tensor, " K"]
    probability: Float[Tensor, " K"]
    duration_sec: float

    def best(self, n: int = 5) -> list[Ranked]:
        """The texts that fit best, best first; all where there are fewer."""
        order = self.probability.argsort(descending=True, stable=True)[:n].tolist()
        return [Ranked(self.texts[k], self.probability[k].item(), self.similarity[k].item()) for k in order]


@dataclass(frozen=True, eq=False)
class SimilarityCurve:
    """How well each of some texts fits a video, moment by moment.

    Args:
        video: the file.
        texts: the candidates.
        times_sec: middles of the spans that were compared, ascending.
        similarity: cosine of each span and text.
        temperature: divides the cosines before a softmax.
        span_sec: length of a span.
        duration_sec: where the video ends.
        start_sec: where its first frame comes on screen; later than 0 where sound comes first.
    """

    video: Path
    texts: tuple[str, ...]
    times_sec: Float[Tensor, " N"]
    similarity: Float[Tensor, "N K"]
    temperature: float
    span_sec: float
    duration_sec: float
    start_sec: float = 0.0


Method = Literal["detector", "training-free"]


@dataclass(frozen=True)
class VideoSegments:
    """What happens when in a video.

    Args:
        video: the file.
        texts: the candidates.
        segments: best first.
        duration_sec: of the video.
        method: ``detector``, which was trained to find actions; or ``training-free``, a threshold on similarity.
    """

    video: Path
    texts: tuple[str, ...]
    segments: Sequence[Detection]
    duration_sec: float
    method: Method

    def describe(self) -> str:
        """How they were found, in words."""
        if self.method == "detector":
            return "found by the checkpoint's detector."
        return (
            "found without a detector: stretches in which the smoothed similarity with a text is high. Nothing was "
            "trained for this; a localization checkpoint finds actions better."
        )
