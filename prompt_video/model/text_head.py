"""TextHead: what a list of texts becomes, and how videos are scored against it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from prompt_video.backbones.prompted_text import TextEncoder


class Classifier(NamedTuple):
    """What scores unit vectors of videos for some texts.

    Args:
        vectors: of the texts.
        temperature: divides the products.
        bias: added to the scores, if there is one.
    """

    vectors: Float[Tensor, "K D"]
    temperature: Float[Tensor, ""] | float
    bias: Float[Tensor, " K"] | None = None

    def scores(self, videos: Float[Tensor, "R D"]) -> Float[Tensor, "R K"]:
        """The score of every video for every text."""
        products = videos @ self.vectors.T / self.temperature
        return products if self.bias is None else products + self.bias


class TextHead(nn.Module, ABC):
    """The part of a model that texts go through. A subclass is made with the width of CLIP's token embeddings.

    Attributes:
        reads_text: whether it scores any text, by cosine over temperature; else only those of its ``vocabulary``.
        vocabulary: the texts that it learned, of one that reads none; None for all others.
        context_length: positions of CLIP's text encoder that it counts on.
        room: tokens that a text may have.
        truncated: texts that were cut so far, as CLIP was to read them.
    """

    reads_text: ClassVar[bool] = True
    vocabulary: list[str] | None = None
    context_length: int = 0
    room: int = 0

    def __init__(self) -> None:
        super().__init__()
        self.truncated: set[str] = set()

    @abstractmethod
    def forward(
        self,
        texts: Sequence[str],
        backbone: TextEncoder,
        chunk_size: int | None = None,
    ) -> Float[Tensor, "K D"]:
        """Unit vectors in the joint space, one a text.

        Args:
            texts: any.
            backbone: encodes them.
            chunk_size: see `FrozenBackbone.encode_text`.
        """

    @abstractmethod
    def settings(self) -> dict[str, object]:
        """The constructor's arguments without the width, ready for JSON."""

    @abstractmethod
    def describe(self) -> str:
        """How a text is written, as a phrase for people."""

    def classifier(
        self,
        texts: Sequence[str],
        text_features: Callable[[Sequence[str]], Float[Tensor, "K D"]],
        temperature: Float[Tensor, ""],
    ) -> Classifier:
        """What scores videos for some texts.

        Args:
            texts: the candidates.
            text_features: gives their unit vectors, which may be kept from before.
            temperature: of cosines.
        """
        return Classifier(text_features(texts), temperature)

    def set_vocabulary(self, texts: Sequence[str], embed_dim: int) -> None:
        """Name the classes before an optimizer is made; only a head that reads no text needs to know.

        Args:
            texts: names of the classes.
            embed_dim: width of the joint space.
        """

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that it cannot score."""
        if self.vocabulary is None:
            return []
        known = set(self.vocabulary)
        return [text for text in texts if text not in known]

    def has_cut(self, text: str) -> bool:
        """Whether a text was too long for CLIP."""
        return text in self.truncated
