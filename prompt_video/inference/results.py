"""What a model says of one video."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor

from data_modules.annotations.activitynet_format import Detection
from data_modules.annotations.list_files import BETWEEN_LABELS
from prompt_video.inference.drawing import COLORS, Bar, curves, timeline
from prompt_video.inference.notebook import MOST_SHOWN, html_table
from prompt_video.model.independent import IndependentLabels
from prompt_video.model.none_of_these import NONE_OF_THESE
from prompt_video.model.rejection import Rejection, confidences


class Ranked(NamedTuple):
    """One text for one video."""

    text: str
    probability: float
    similarity: float


@dataclass(frozen=True, eq=False, repr=False)
class VideoScores:
    """How well each of some texts fits a whole video.

    Args:
        video: the file.
        texts: the candidates.
        similarity: cosine of each text, in [-1, 1]; of a linear probe, which has none, its own scores.
        probability: of each text among all of them, which sum to 1; of a model of several labels of each by itself.
        duration_sec: of the video.
        confidence: that it shows one of them, in [0, 1]: the best probability, or the texts' share beside a bank.
        is_known: False: it shows none of them, by the model's rule.
        threshold: probability from which on the video shows a text, whatever else it shows; None: it shows one.
    """

    video: Path
    texts: tuple[str, ...]
    similarity: Float[Tensor, " K"]
    probability: Float[Tensor, " K"]
    duration_sec: float
    confidence: float
    is_known: bool = True
    threshold: float | None = None

    def shown(self, n: int = 5) -> list[Ranked]:
        """The texts that fit best, best first: so many, and of several labels all that the video shows."""
        return self.best(max(n, len(self.labels) if self.threshold is not None else 0))

    @property
    def labels(self) -> list[Ranked]:
        """The texts that the video shows, best first: the one that fits best, or all that reach the threshold."""
        if not self.is_known:
            return []
        if self.threshold is None:
            return self.best(1)
        return [one for one in self.best(len(self.texts)) if one.probability >= self.threshold]

    @property
    def label(self) -> str | None:
        """What the video shows, with ``|`` between several texts; None where it shows none of them."""
        return BETWEEN_LABELS.join(one.text for one in self.labels) or None

    def best(self, n: int = 5) -> list[Ranked]:
        """The texts that fit best, best first; all where there are fewer."""
        order = self.probability.argsort(descending=True, stable=True)[:n].tolist()
        return [Ranked(self.texts[k], self.probability[k].item(), self.similarity[k].item()) for k in order]

    def __repr__(self) -> str:
        best = ", ".join(f"{one.text} {one.probability:.1%}" for one in self.shown(3))
        told = f"{len(self.labels)} labels, " if self.labels and self.threshold is not None else ""
        told = told if self.is_known else f"{NONE_OF_THESE}, "
        return f"VideoScores({self.video.name}, {len(self.texts)} texts, {told}best: {best})"

    def _repr_html_(self) -> str:
        rows = [(one.text, f"{one.probability:.1%}", f"{one.similarity:.3f}") for one in self.shown(MOST_SHOWN)]
        told = "" if self.is_known else f": {NONE_OF_THESE}"
        return html_table(rows, ("text", "probability", "similarity"), f"{self.video.name}{told}")


@dataclass(frozen=True, eq=False, repr=False)
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
        bank_share: at each moment, of the texts beside a bank of others; None without one.
        independent: how likely each text is by itself, of a model of several labels; None: they compete.
    """

    video: Path
    texts: tuple[str, ...]
    times_sec: Float[Tensor, " N"]
    similarity: Float[Tensor, "N K"]
    temperature: float
    span_sec: float
    duration_sec: float
    start_sec: float = 0.0
    bank_share: Float[Tensor, " N"] | None = None
    independent: IndependentLabels | None = None

    @property
    def scores(self) -> Float[Tensor, "N K"]:
        """Of each moment and text, before they become probabilities."""
        return self.similarity / self.temperature

    @property
    def confidence(self) -> Float[Tensor, " N"]:
        """That one of the texts is shown at each moment, in [0, 1]; see `VideoScores`."""
        own = self.independent.probabilities(self.scores) if self.independent else self.scores.softmax(-1)
        return confidences(own, self.bank_share)

    def __repr__(self) -> str:
        return (
            f"SimilarityCurve({self.video.name}, {len(self.texts)} texts at {len(self.times_sec)} moments of "
            f"{self.duration_sec:.1f} s)"
        )

    def _repr_html_(self) -> str:
        places = self.similarity.argmax(0).tolist()
        rows = [
            (text, f"{self.similarity[place, k].item():.3f}", f"{self.times_sec[place].item():.1f} s")
            for k, (text, place) in enumerate(zip(self.texts, places, strict=True))
        ]
        table = html_table(rows[:MOST_SHOWN], ("text", "highest similarity", "at"), self.video.name)
        lines = self.similarity.T[: len(COLORS)].tolist()
        return table + curves(self.times_sec.tolist(), lines, self.texts[: len(COLORS)], self.duration_sec)


Method = Literal["detector", "training-free"]


@dataclass(frozen=True, repr=False)
class VideoSegments:
    """What happens when in a video.

    Args:
        video: the file.
        texts: the candidates.
        segments: best first.
        duration_sec: of the video.
        method: ``detector``, which was trained to find actions; or ``training-free``, a threshold on similarity.
        rejection: by which stretches that show none of the texts were left out; None: by none.
    """

    video: Path
    texts: tuple[str, ...]
    segments: Sequence[Detection]
    duration_sec: float
    method: Method
    rejection: Rejection | None = None

    def __repr__(self) -> str:
        best = ", ".join(
            f"{one.label} {one.start_sec:.1f}-{one.end_sec:.1f} s {one.score:.2f}" for one in self.segments[:3]
        )
        told = f", best: {best}" if best else ""
        return f"VideoSegments({self.video.name}, {len(self.segments)} segments, {self.method}{told})"

    def _repr_html_(self) -> str:
        rows = [
            (one.label, f"{one.start_sec:.1f} s", f"{one.end_sec:.1f} s", f"{one.score:.2f}")
            for one in self.segments[:MOST_SHOWN]
        ]
        more = f"; {left} more in .segments" if (left := len(self.segments) - MOST_SHOWN) > 0 else ""
        table = html_table(rows, ("text", "from", "to", "score"), f"{self.video.name}, {self.method}{more}")
        names = list(dict.fromkeys(one.label for one in self.segments))[: len(COLORS)]
        bars = [Bar(names.index(s.label), s.start_sec, s.end_sec) for s in self.segments if s.label in names]
        return table + timeline(bars, names, self.duration_sec) if bars else table

    def describe(self) -> str:
        """How they were found, in words."""
        left_out = f" Left out: {self.rejection.describe()}." if self.rejection else ""
        if self.method == "detector":
            return f"found by the checkpoint's detector.{left_out}"
        return (
            "found without a detector: stretches in which the smoothed similarity with a text is high. Nothing was "
            f"trained for this; a localization checkpoint finds actions better.{left_out}"
        )
