"""TextHead: what a list of texts becomes, and how videos are scored against it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple, Protocol, TypeAlias, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from prompt_video.backbones.prompted_text import TextEncoder
from prompt_video.model.examples import Examples

Product: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # of unit vectors of videos and of texts: their cosines


def cosines(videos: Float[Tensor, "R D"], texts: Float[Tensor, "K D"]) -> Float[Tensor, "R K"]:
    """Of unit vectors, one a video and one a text."""
    return videos @ texts.T


@runtime_checkable
class Scorer(Protocol):
    """What scores unit vectors of videos for some texts."""

    def scores(self, videos: Float[Tensor, "R D"], product: Product = cosines) -> Float[Tensor, "R K"]:
        """The score of every video for every text.

        Args:
            videos: unit vectors.
            product: of a video and a text; the temporal encoder's.
        """

    def linear(self) -> "Classifier":
        """The same as one vector a text.

        Raises:
            InputError: when there is none.
        """


class Classifier(NamedTuple):
    """A `Scorer` with one vector a text.

    Args:
        vectors: of the texts.
        temperature: divides the products.
        bias: added to the scores, if there is one.
    """

    vectors: Float[Tensor, "K D"]
    temperature: Float[Tensor, ""] | float
    bias: Float[Tensor, " K"] | None = None

    def scores(self, videos: Float[Tensor, "R D"], product: Product = cosines) -> Float[Tensor, "R K"]:
        """As `Scorer.scores`."""
        products = product(videos, self.vectors) / self.temperature
        return products if self.bias is None else products + self.bias

    def linear(self) -> "Classifier":
        """Itself."""
        return self


class TextHead(nn.Module, ABC):
    """The part of a model that texts go through. A subclass is made with what the text encoder takes.

    Attributes:
        reads_text: whether its score of any text is a cosine over temperature.
        stackable: whether torch.func may compute those of several models at once: nothing that it does depends on the
            values of its weights, and on the texts only through what the encoder is asked for. A subclass says so anew.
        called: what it is, for messages, of one whose scores are no such cosines.
        knows: what such a one can score, as a sentence.
        starts_frozen: whether it scores as the frozen backbone does before it learns, at the frozen backbone's
            temperature.
        beside_names: what it has of its own of each class besides the name, for messages; None: it reads names alone.
        needs_examples: whether it is shown the training videos before it is trained, see `learn_from`.
        vocabulary: the class names that it has something of its own for; None: none.
        text_parts: vectors side by side that it makes of a text.
        room: tokens that a text may have.
        truncated: texts that were cut so far, as the text encoder was to read them.
    """

    reads_text: ClassVar[bool] = True
    called: ClassVar[str] = "a text head"
    knows: ClassVar[str] = "it scores the classes that it learned, and no other text"
    starts_frozen: ClassVar[bool] = False
    beside_names: ClassVar[str | None] = None
    needs_examples: ClassVar[bool] = False
    stackable: ClassVar[bool] = False
    vocabulary: list[str] | None = None
    text_parts: int = 1
    room: int = 0

    def __init__(self) -> None:
        super().__init__()
        self.truncated: set[str] = set()

    @abstractmethod
    def forward(
        self, texts: Sequence[str], backbone: TextEncoder, chunk_size: int | None = None
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
    ) -> Scorer:
        """What scores videos for some texts.

        Args:
            texts: the candidates.
            text_features: gives their unit vectors, which may be kept from before.
            temperature: of cosines.
        """
        return Classifier(text_features(texts), temperature)

    def set_vocabulary(self, texts: Sequence[str], embed_dim: int) -> None:
        """Name the classes before an optimizer is made; only a head with something for each of them needs to know.

        Args:
            texts: names of the classes.
            embed_dim: width of the joint space.
        """

    def learn_from(self, examples: Examples, own: Scorer) -> None:
        """Take from the training videos what no optimizer learns; called once, before training.

        Args:
            examples: of all classes of the vocabulary.
            own: scores videos for the vocabulary, as this head does so far.
        """

    def make_room(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Get ready for the weights of another model of the same settings.

        Args:
            shapes: of the weights, by name.
        """

    def penalty(self) -> Float[Tensor, ""] | float:
        """What it adds to the training loss, whatever the batch."""
        return 0.0

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that it cannot score."""
        if self.vocabulary is None:
            return []
        known = set(self.vocabulary)
        return [text for text in texts if text not in known]

    def has_cut(self, text: str) -> bool:
        """Whether a text was too long for the text encoder."""
        return text in self.truncated
