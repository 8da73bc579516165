"""Independent labels: each text is a question of its own, answered by yes or no, whatever the other texts are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from data_modules.errors import InputError
from prompt_video.model.kept_settings import check_settings

KEY = "independent"  # in what a checkpoint says of its task


@dataclass(frozen=True)
class IndependentLabels:
    """From scores to the probability of each text by itself.

    Args:
        bias: added to every score; a video and a text whose score is its negative are as likely as not.
        threshold: probability from which on a video shows what a text says.

    Raises:
        InputError: when the threshold is not between 0 and 1.

    Source: the sigmoid of scaled cosine and bias of SigLIP (arXiv 2303.15343, equation 1).
    """

    bias: float
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise InputError(f"the threshold of labels must be between 0 and 1, not {self.threshold:g}.")

    def probabilities(self, scores: Float[Tensor, "*R K"]) -> Float[Tensor, "*R K"]:
        """Of each text by itself; in double precision, in which high ones stay apart."""
        return (scores.double() + self.bias).sigmoid()

    def describe(self) -> str:
        """In words."""
        return f"each class by itself, shown where its probability is {self.threshold:g} or more"

    @classmethod
    def of(cls, task: Mapping[str, Any]) -> "IndependentLabels | None":
        """As a checkpoint says of its task; None where texts compete.

        Raises:
            InputError: when what it says cannot be so.
        """
        return cls(**check_settings(cls, task[KEY], KEY)) if task.get(KEY) else None
