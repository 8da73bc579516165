"""A probe that starts at the texts: one learned row a class, held near the class's text."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.errors import InputError
from prompt_video.backbones.prompted_text import TextEncoder, TextShape
from prompt_video.model.examples import Examples
from prompt_video.model.prompt import TemplatePrompt
from prompt_video.model.templates import DEFAULT
from prompt_video.model.text_feature_cache import TextFeatureCache
from prompt_video.model.text_head import Scorer


class TextProbe(TemplatePrompt):
    """``cos(f, w_c) / temperature`` with a learned row w_c of each training class, which starts at its text t_c.

    Added to the loss: ``strength`` times the sum over c of lambda_c * ||w_c - t_c||^2, where lambda_c is how well the
    text alone knows the class: its mean probability on the training videos of the class. A text that is no training
    class keeps its text feature, so that any name can be scored.

    Args:
        shape: what the text encoder takes; a number is the width of CLIP's.
        strength: of the pull towards the texts; 0 for none.
        templates: see `TemplatePrompt`.
        too_long: see `TemplatePrompt`.

    Source: CLAP (Silva-Rodriguez et al., CVPR 2024), equations 5 and 9, and ``adapters.py`` of jusiro/CLAP. Changed:
    texts have unit length (there, that of CLIP's features); the sum over classes is the paper's (its code has the
    mean); lambda stays as it is first computed; AdamW instead of SGD, and no augmented views.
    """

    starts_frozen: ClassVar[bool] = True
    needs_examples: ClassVar[bool] = True
    beside_names: ClassVar[str | None] = "a learned vector"
    vocabulary: list[str]

    def __init__(
        self,
        shape: TextShape | int,
        strength: float = 1.0,
        templates: str | Sequence[str] = DEFAULT,
        too_long: Literal["error", "truncate"] = "error",
    ) -> None:
        super().__init__(shape, templates, too_long)
        if strength < 0:
            raise InputError(f"strength of a text probe must be 0 or more, not {strength:g}.")
        self.strength = strength
        self.vocabulary = []
        # w - t rather than w: it starts at zero, and what decays weights draws it to the text.
        self.offset = nn.Parameter(torch.empty(0, 0))
        self.register_buffer("pull", torch.empty(0), persistent=False)  # lambda of each class, for training alone
        self._texts = TextFeatureCache()

    pull: Tensor

    def set_vocabulary(self, texts: Sequence[str], embed_dim: int) -> None:
        """Make the rows, at the texts; the same names again change nothing."""
        if list(texts) != self.vocabulary:
            self.vocabulary = list(texts)
            self.offset = nn.Parameter(torch.zeros(len(texts), embed_dim, device=self.offset.device))

    def forward(
        self, texts: Sequence[str], backbone: TextEncoder, chunk_size: int | None = None
    ) -> Float[Tensor, "K D"]:
        """Unit vectors in the joint space, one a text."""
        encode = super().forward
        key = (tuple(texts), self.offset.device)
        frozen = self._texts.features(self, key, [], lambda: encode(texts, backbone, chunk_size))
        row_of = {name: row for row, name in enumerate(self.vocabulary)}
        places = [place for place, text in enumerate(texts) if text in row_of]
        if not places:
            return frozen
        rows = torch.tensor([row_of[texts[place]] for place in places], device=frozen.device)
        where = torch.tensor(places, device=frozen.device)
        return F.normalize(frozen.index_add(0, where, self.offset[rows].to(frozen.dtype)), dim=-1)

    def learn_from(self, examples: Examples, own: Scorer) -> None:
        """Compute lambda of each class; the rows are still at the texts."""
        self.pull = class_confidence(own.scores(examples.videos).softmax(-1), examples.target)

    def penalty(self) -> Float[Tensor, ""]:
        """What is added to the loss."""
        pull = self.pull if len(self.pull) else self.offset.new_ones(len(self.offset))
        return self.strength * (pull * self.offset.square().sum(-1)).sum()

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """None: it scores any text."""
        return []

    def settings(self) -> dict[str, object]:
        """The constructor's arguments without the width, ready for JSON."""
        return {"strength": self.strength, **super().settings()}

    def describe(self) -> str:
        """As `TextHead.describe`."""
        return f"a learned vector a class, starting at its text (strength {self.strength:g}); {super().describe()}"


def class_confidence(probabilities: Float[Tensor, "N K"], target: Int[Tensor, " N"]) -> Float[Tensor, " K"]:
    """The mean probability of each class on the examples of that class; 1 for a class without any."""
    num_classes = probabilities.shape[1]
    own = probabilities.gather(1, target[:, None])[:, 0]
    count = torch.bincount(target, minlength=num_classes)
    total = own.new_zeros(num_classes).index_add(0, target, own)
    return torch.where(count > 0, total / count.clamp(min=1), 1.0)
