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
from typing import ClassVar, cast

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from data_modules.errors import InputError
from data_modules.features.encoder import FrameTransform
from prompt_video.backbones.frozen_block import FrozenBlock
from prompt_video.backbones.frozen_linear import frozen_linear
from prompt_video.backbones.prompted_text import PromptedText, TextShape
from prompt_video.backbones.text_grid import Surroundings
from prompt_video.backbones.tokenizer import TextTokenizer


class FrozenTextTower(nn.Module, ABC):
    """A text encoder: a pre-LN Transformer whose features are read at one position of each text.

    Args:
        token_embedding: one row a token.
        positions: one row a position.
        blocks: the layers.
        final_norm: behind the last layer.
        projection: into the joint space; it may have a bias.
        surroundings: of every text.
    """

    def __init__(
        self,
        token_embedding: nn.Embedding,
        positions: nn.Embedding,
        blocks: Sequence[FrozenBlock],
        final_norm: nn.LayerNorm,
        projection: nn.Linear,
        surroundings: Surroundings,
    ) -> None:
        super().__init__()
        self.token_embedding, self.positions, self.surroundings = token_embedding, positions, surroundings
        self.blocks = cast("Sequence[FrozenBlock]", nn.ModuleList(blocks))
        self.final_norm, self.projection = final_norm, projection

    @property
    def shape(self) -> TextShape:
        """What it takes."""
        num_positions, width = self.positions.weight.shape
        return TextShape(width, num_positions, len(self.surroundings.start) + len(self.surroundings.end))

    def embed(self, tokens: Sequence[Sequence[int]]) -> Float[Tensor, "K L W"]:
        """Token embeddings of texts of one length."""
        rows: Tensor = self.token_embedding(torch.tensor(tokens, dtype=torch.long, device=self.positions.weight.device))
        return rows

    def embed_among(
        self,
        tokens: Int[Tensor, "*N T"],
        vectors: Float[Tensor, "R W"],
        rows: Int[Tensor, "*N T"],
        is_learned: Bool[Tensor, "*N T 1"],
    ) -> Float[Tensor, "*N T W"]:
        """Token embeddings, and learned vectors where they stand, by their rows."""
        x: Tensor = self.token_embedding(tokens)
        # Of torch's ways to gather, the embedding adds up gradients in a fixed order on all devices.
        return torch.where(is_learned, F.embedding(rows, vectors), x) if len(vectors) else x

    def project(self, read: Float[Tensor, "K W"]) -> Float[Tensor, "K D"]:
        """Features in the joint space of what the last layer makes of the positions that are read."""
        return frozen_linear(self.final_norm(read), self.projection.weight, self.projection.bias)

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
        frames: from a decoded frame to what its image encoder was trained on.
        mean: that pixels in [0, 1] are normalised with, by channel.
        std: as ``mean``.
        configured: what changes the features of frames and is neither in the weights' values nor in ``frames``.
        temperature: what it was trained to divide cosines by.
        bias: what it was trained to add behind that, for the probability of each text by itself; None: none.
    """

    family: str
    frames: FrameTransform
    mean: Sequence[float]
    std: Sequence[float]
    configured: str
    temperature: float
    bias: float | None = None


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
