"""What passes between the text head and the frozen backbone, so that neither needs to know the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class TextShape:
    """What a text encoder takes.

    Args:
        width: of its token embeddings.
        context_length: positions that it has.
        own_positions: how many of them it takes for itself, for tokens that begin or end a text.
    """

    width: int
    context_length: int = 77
    own_positions: int = 2

    @classmethod
    def of(cls, shape: "TextShape | int") -> "TextShape":
        """A shape, or that of a CLIP of this width."""
        return cls(shape) if isinstance(shape, int) else shape

    def room(self, num_vectors: int) -> int:
        """Tokens that a text may have beside so many learned vectors; less than 1 where there is no room."""
        return self.context_length - self.own_positions - num_vectors


@dataclass(frozen=True)
class PromptedText:
    """Texts as ``[prefix + own tokens + suffix]``, before the encoder adds its start and end tokens.

    Args:
        tokens: each text's own tokens.
        prefix: the P vectors in front of every text.
        suffix: the vectors behind the tokens: one set for all texts or, ``by_position``, a longer table whose row i is
            what stands i places after the prefix.
        num_suffix: how many of them a text has.
        by_position: see ``suffix``.
    """

    tokens: list[list[int]]
    prefix: Float[Tensor, "P W"]
    suffix: Float[Tensor, "R W"]
    num_suffix: int
    by_position: bool = False

    def suffix_after(self, num_tokens: int) -> Float[Tensor, "S W"]:
        """The suffix of a text of so many tokens."""
        start = num_tokens if self.by_position else 0
        return self.suffix[start : start + self.num_suffix]

    def to(self, like: Tensor) -> "PromptedText":
        """The same in the precision and on the device of ``like``."""
        return replace(self, prefix=self.prefix.to(like), suffix=self.suffix.to(like))


@runtime_checkable
class TextEncoder(Protocol):
    """The part of the frozen backbone that a text head needs."""

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's own tokens, without start and end token."""

    def encode_text(self, texts: PromptedText, chunk_size: int | None = None) -> Float[Tensor, "K D"]:
        """Features in the joint space, not normalised."""
