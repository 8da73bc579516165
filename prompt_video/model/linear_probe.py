"""The baseline that ignores what the texts say: one learned vector for each class name."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from data_modules.errors import InputError
from prompt_video.backbones.prompted_text import TextEncoder, TextShape
from prompt_video.model.text_head import Classifier, TextHead


class LinearProbe(TextHead):
    """``W x + b`` on the unit video features, with a row of W and an entry of b for every class name.

    Args:
        shape: what the text encoder takes; not used, since a probe stands in the joint space.
    """

    reads_text: ClassVar[bool] = False
    called: ClassVar[str] = "a linear probe"
    beside_names: ClassVar[str | None] = "a learned vector"
    stackable: ClassVar[bool] = True
    vocabulary: list[str]

    def __init__(self, shape: TextShape | int) -> None:
        super().__init__()
        self.vocabulary = []
        self.weight, self.bias = nn.Parameter(torch.empty(0, 0)), nn.Parameter(torch.empty(0))

    def set_vocabulary(self, texts: Sequence[str], embed_dim: int) -> None:
        """Make the rows, all zero; needed before an optimizer is made. The same names again change nothing."""
        if list(texts) != self.vocabulary:
            self.vocabulary = list(texts)
            device = self.weight.device
            self.weight = nn.Parameter(torch.zeros(len(texts), embed_dim, device=device))
            self.bias = nn.Parameter(torch.zeros(len(texts), device=device))

    def classifier(
        self,
        texts: Sequence[str],
        text_features: Callable[[Sequence[str]], Float[Tensor, "K D"]],
        temperature: Float[Tensor, ""],
    ) -> Classifier:
        """The rows of known class names, in any order; features and temperature of texts play no part.

        Raises:
            InputError: when it has learned no names yet, or not one of these.
        """
        rows = torch.tensor(rows_of(texts, self.vocabulary), device=self.weight.device)
        return Classifier(self.weight[rows], 1.0, self.bias[rows])

    def forward(
        self, texts: Sequence[str], backbone: TextEncoder, chunk_size: int | None = None
    ) -> Float[Tensor, "K D"]:
        """It has none.

        Raises:
            InputError: always.
        """
        raise InputError("a linear probe has no text features, only scores of the class names that it learned.")

    def settings(self) -> dict[str, object]:
        """None: its shape comes from the classes and from the backbone."""
        return {}

    def describe(self) -> str:
        """As `TextHead.describe`."""
        return "linear probe, one learned vector a class"


def rows_of(texts: Sequence[str], class_names: Sequence[str]) -> list[int]:
    """The row of each text among the learned ones."""
    if not class_names:
        raise InputError("a linear probe must be told its class names before it is used.")
    row_of = {name: row for row, name in enumerate(class_names)}
    unknown = [text for text in texts if text not in row_of]
    if unknown:
        raise InputError(
            f"the linear probe learned {len(row_of)} class names, and '{unknown[0]}' is none of them; only a text "
            "head that reads the texts can score new ones."
        )
    return [row_of[text] for text in texts]
