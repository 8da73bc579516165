"""What a family makes of a checkpoint: its towers, its tokenizer, and what everything else needs to know of it.

**Adding a family**: one file with a function ``load(files: CheckpointFiles) -> FrozenTowers``, one line in
`prompt_video.backbones.families`, one test that holds it equal to its own library. `clip` and `metaclip2` are the
examples. Its towers are a `FrozenTextTower` and a `FrozenImageTower`; they get their inputs in the precision of their
weights and on their device.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from data_modules.errors import InputError
from data_modules.features.encoder import FrameTransform
from prompt_video.backbones.prompted_text import PromptedText
from prompt_video.backbones.tokenizer import TextTokenizer


class FrozenTextTower(nn.Module, ABC):
    """A text encoder.

    Attributes:
        token_embedding: one row a token.
    """

    token_embedding: nn.Embedding

    @abstractmethod
    def forward(self, texts: PromptedText, chunk_size: int | None, *, compiled: bool = False) -> Float[Tensor, "K D"]:
        """Features of the texts, not normalised; gradients reach their vectors.

        Args:
            texts: at least one, each of which fits into the positions.
            chunk_size: texts whose inner values are kept at a time; they are computed again on the way back, so that
                memory does not grow with the number of texts. None keeps all.
            compiled: by torch.compile, where that is possible.
        """


class FrozenImageTower(nn.Module, ABC):
    """An image encoder.

    Attributes:
        takes_bytes: whether it is given frames as they are, to normalise them itself.
    """

    takes_bytes: ClassVar[bool] = False

    @property
    @abstractmethod
    def largest_layer(self) -> int:
        """Numbers that the widest layer has of a frame, by which passes are cut."""

    @abstractmethod
    def forward(self, pixels: Shaped[Tensor, "N 3 H W"]) -> Float[Tensor, "N D"]:
        """Features of normalised pixels, not normalised."""


def temperature_of(name: str, logit_scale: float) -> float:
    """What a model was trained to divide cosines by.

    Args:
        name: of the model, for the message.
        logit_scale: logarithm of what cosines are multiplied by, as checkpoints hold it.

    Raises:
        InputError: when no positive number comes out.
    """
    try:
        temperature = math.exp(-logit_scale)
    except OverflowError:
        temperature = math.inf
    if not 0 < temperature < math.inf:
        raise InputError(f"backbone '{name}' is damaged: its logit_scale is {logit_scale}.")
    return temperature


@dataclass(frozen=True)
class BackboneFacts:
    """What is the same in whatever precision a backbone computes.

    Args:
        family: as people call it.
        width: of its token embeddings.
        context_length: positions of its text encoder.
        own_positions: how many of them the encoder takes for itself, for tokens that begin or end a text.
        embed_dim: of the space of texts and frames.
        frames: from a decoded frame to what its image encoder was trained on.
        mean: that pixels in [0, 1] are normalised with, by channel.
        std: as ``mean``.
        configured: what changes the features of frames and is neither in the weights' values nor in ``frames``.
        temperature: what it was trained to divide cosines by.
        bias: what it was trained to add behind that, for the probability of each text by itself; None: none.
        templates: the hand-written sentences that suit it, by the name of their set.
        licence: of the weights, where the family has one for all.
    """

    family: str
    width: int
    context_length: int
    own_positions: int
    embed_dim: int
    frames: FrameTransform
    mean: Sequence[float]
    std: Sequence[float]
    configured: str
    temperature: float
    bias: float | None = None
    templates: str = "video"
    licence: str | None = None


class FrozenTowers(nn.Module):
    """Both encoders of one backbone and its vocabulary: what all users of it in one process share.

    Args:
        text: prompted texts to features.
        vision: normalised pixels to features.
        tokenizer: texts to tokens.
        facts: what else there is to know.
        fingerprint: a hash of the weights' values.
    """

    def __init__(
        self,
        text: FrozenTextTower,
        vision: FrozenImageTower,
        tokenizer: TextTokenizer,
        facts: BackboneFacts,
        fingerprint: str,
    ) -> None:
        super().__init__()
        self.text, self.vision, self.tokenizer = text, vision, tokenizer
        self.facts, self.fingerprint = facts, fingerprint
        self.eval().requires_grad_(False)
