"""None of these: when a video shows none of the candidates.

    threshold:  what its best candidate's probability does not reach, the video does not show
    bank:       texts that mean something else compete; confidence is the candidates' share of all exponentials

Where the rule is chosen from a few clips, see `choose_threshold`.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from data_modules.errors import InputError
from data_modules.files.text_files import excerpt
from prompt_video.model.kept_settings import check_settings
from prompt_video.model.none_of_these import NONE_OF_THESE, check_threshold
from prompt_video.model.text_bank import without_candidates

log = logging.getLogger(__name__)

# Least share of the known clips that a chosen threshold keeps: beside others, and without any. How these were chosen
# stands in experiments/README.md.
LEAST_KEPT, KEPT = 0.9, 0.95


@dataclass(frozen=True)
class Rejection:
    """The rule.

    Args:
        threshold: in [0, 1]; a video whose confidence is lower shows none of the candidates.
        bank: texts that mean something else; none: confidence is the probability of the best candidate.
        class_names: the candidates that the threshold was calibrated with, and holds for; None: it was given, and holds
            for any.

    Raises:
        InputError: when the threshold is outside its range.

    Source: of the bank, the score of NegLabel (ICLR 2024) with all texts in one group.
    """

    threshold: float
    bank: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_threshold(self.threshold)

    def holds_for(self, texts: Sequence[str]) -> bool:
        """Whether the threshold says something of these candidates."""
        return self.class_names is None or set(texts) == set(self.class_names)

    def check(self, texts: Sequence[str]) -> None:
        """Refuse candidates that nothing could be told from.

        Raises:
            InputError: of one candidate without a bank, whose probability is always 1.
        """
        if len(texts) == 1 and not self.bank:
            raise InputError(
                f"'{texts[0]}' is the only class, whose probability is always 1: to tell whether a video shows it, "
                "name other classes too, or a bank of texts that mean something else with --none_bank."
            )

    def is_known(self, confidence: Float[Tensor, "*N"]) -> Bool[Tensor, "*N"]:
        """Where one of the candidates is shown."""
        return confidence >= self.threshold

    def describe(self) -> str:
        """The rule in words."""
        of = f"the share of the candidates beside a bank of {len(self.bank):,} texts" if self.bank else ""
        calibrated = f", calibrated with {len(self.class_names)} classes" if self.class_names else ""
        return f"'{NONE_OF_THESE}' where {of or 'the best probability'} is below {self.threshold:.3g}{calibrated}"

    def state(self) -> dict[str, Any]:
        """All of it, ready for JSON and for a checkpoint."""
        return {
            **asdict(self),
            "bank": list(self.bank),
            "class_names": list(self.class_names) if self.class_names is not None else None,
        }

    @classmethod
    def of(cls, state: object) -> "Rejection | None":
        """From its `state`; None where there is none.

        Raises:
            InputError: when it cannot be so.
        """
        if not state:
            return None
        settings = check_settings(cls, state, "rejection")
        if "threshold" not in settings:
            raise InputError(f"rejection has no threshold: {excerpt(state)}.")
        names = settings.get("class_names")
        return cls(settings["threshold"], tuple(settings.get("bank", ())), None if names is None else tuple(names))


@lru_cache(maxsize=32)  # what is taken out of a bank is told once
def rule_for(rule: Rejection | None, texts: tuple[str, ...]) -> Rejection | None:
    """The rule for some candidates: without what a candidate says in its bank; None where it says nothing of them.

    Raises:
        InputError: when nothing is left of the bank.
    """
    if rule is None:
        return None
    if not rule.holds_for(texts):
        log.warning(
            "the checkpoint says when a video shows none of its %d classes, which these are not: every video gets one "
            "of them; --none_below or --calibrate chooses a threshold for them",
            len(rule.class_names or ()),
        )
        return None
    return replace(rule, bank=without_candidates(rule.bank, texts)) if rule.bank else rule


def confidences(probabilities: Float[Tensor, "B K"], share: Float[Tensor, " B"] | None = None) -> Float[Tensor, " B"]:
    """How sure it is that a video shows one of the candidates.

    Args:
        probabilities: of the candidates, of whatever kind: of a softmax, or each by itself.
        share: of the candidates beside a bank, see `bank_share`; None without one.
    """
    return probabilities.amax(-1) if share is None else share


def bank_share(scores: Float[Tensor, "*R K"], bank_scores: Float[Tensor, "*R N"]) -> Float[Tensor, "*R"]:
    """The candidates' share of the exponentials of all scores, in [0, 1].

    Args:
        scores: of the candidates, cosine over temperature.
        bank_scores: of texts that mean something else.
    """
    return (scores.logsumexp(-1) - bank_scores.logsumexp(-1)).sigmoid()


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold, and what it does with the clips that it was chosen on.

    Args:
        threshold: in [0, 1].
        kept: known clips that it keeps.
        known: how many there were.
        refused: other clips that it refuses.
        unknown: how many there were.
    """

    threshold: float
    kept: int
    known: int
    refused: int
    unknown: int

    def describe(self) -> str:
        """In words."""
        others = (
            f"refuses {self.refused} of {self.unknown} others"
            if self.unknown
            else f"there were no others to see what it refuses: it is where {KEPT:.0%} of the known ones stay"
        )
        return f"threshold {self.threshold:.3g} keeps {self.kept} of {self.known} clips of the classes, and {others}"


def choose_threshold(known: Sequence[float], unknown: Sequence[float] = ()) -> ChosenThreshold:
    """The threshold that tells known clips best from others, of those that keep `LEAST_KEPT` of the known ones.

    Best is the highest mean of the share of known clips kept and the share of others refused; of equally good ones, the
    middle of the widest gap. Without others, and where none of them can be refused so, it is the highest that keeps
    `KEPT` of the known ones. A handful of clips says little of what else may be seen, so that they may not cost many
    known ones.

    Args:
        known: confidences of clips of the candidates, in [0, 1].
        unknown: confidences of clips that show none of them.

    Raises:
        InputError: when there is no known clip.
    """
    check_known(known)
    alone, highest = (sorted(known)[len(known) - math.ceil(share * len(known))] for share in (KEPT, LEAST_KEPT))
    gaps = [((low + high) / 2, high - low) for low, high in pairwise(sorted({0.0, 1.0, *known, *unknown}))]
    useful = [gap for gap in gaps if gap[0] <= highest and any(value < gap[0] for value in unknown)]
    threshold, _ = max(useful, key=lambda gap: (_balanced(known, unknown, gap[0]), gap[1]), default=(alone, 0.0))
    kept, refused = sum(value >= threshold for value in known), sum(value < threshold for value in unknown)
    return ChosenThreshold(threshold, kept, len(known), refused, len(unknown))


def check_known(clips: Sequence[object]) -> None:
    """Refuse to choose a threshold without clips of the candidates.

    Raises:
        InputError: when there is none.
    """
    if not clips:
        raise InputError(
            "there is no clip of the classes to calibrate on; put a few of each into a folder of its name."
        )


def _balanced(known: Sequence[float], unknown: Sequence[float], threshold: float) -> float:
    kept = sum(value >= threshold for value in known) / len(known)
    return (kept + sum(value < threshold for value in unknown) / len(unknown)) / 2
