"""The weights of CLIP's text encoder, which each way of computing it reads."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from prompt_video.backbones.frozen_block import FrozenBlock
from prompt_video.backbones.frozen_linear import frozen_linear
from prompt_video.backbones.towers import FrozenTextTower


class TextWeights(FrozenTextTower):
    """The frozen text encoder's weights.

    Args:
        token_embedding: one row a token.
        positions: one row a position.
        blocks: the layers.
        final_norm: behind the last layer.
        projection: into the joint space.
        start_token: what stands in front of every text.
        end_token: what stands behind every text; the features are read there.
    """

    def __init__(
        self,
        token_embedding: nn.Embedding,
        positions: nn.Embedding,
        blocks: Sequence[FrozenBlock],
        final_norm: nn.LayerNorm,
        projection: nn.Linear,
        start_token: int,
        end_token: int,
    ) -> None:
        super().__init__()
        self.token_embedding, self.positions = token_embedding, positions
        self.blocks = cast("Sequence[FrozenBlock]", nn.ModuleList(blocks))
        self.final_norm, self.projection = final_norm, projection
        self.start_token, self.end_token = start_token, end_token

    def embed(self, tokens: Sequence[Sequence[int]]) -> Float[Tensor, "K L W"]:
        """Token embeddings of texts of one length."""
        rows: Tensor = self.token_embedding(torch.tensor(tokens, dtype=torch.long, device=self.positions.weight.device))
        return rows

    def project(self, at_end: Float[Tensor, "K W"]) -> Float[Tensor, "K D"]:
        """Features in the joint space of what the last layer makes of the end tokens."""
        return frozen_linear(self.final_norm(at_end), self.projection.weight, None)
