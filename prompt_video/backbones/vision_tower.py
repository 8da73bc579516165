"""CLIP's image encoder for inference: fused products, the last layer for the class token only."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from prompt_video.backbones.frozen_block import FrozenBlock
from prompt_video.backbones.frozen_linear import frozen_linear
from prompt_video.backbones.towers import FrozenImageTower


class VisionTower(FrozenImageTower):
    """The frozen image encoder.

    Args:
        class_embedding: the class token, in front of the patches.
        patch_embedding: pixels to patches.
        positions: one row for the class token, one a patch.
        first_norm: before the first layer.
        blocks: the layers.
        final_norm: behind the last layer.
        projection: into the joint space.
    """

    def __init__(
        self,
        class_embedding: nn.Parameter,
        patch_embedding: nn.Conv2d,
        positions: nn.Embedding,
        first_norm: nn.LayerNorm,
        blocks: Sequence[FrozenBlock],
        final_norm: nn.LayerNorm,
        projection: nn.Linear,
    ) -> None:
        super().__init__()
        self.class_embedding, self.patch_embedding, self.positions = class_embedding, patch_embedding, positions
        self.first_norm, self.blocks = first_norm, cast("Sequence[FrozenBlock]", nn.ModuleList(blocks))
        self.final_norm, self.projection = final_norm, projection

    @property
    def largest_layer(self) -> int:
        """As `FrozenImageTower`."""
        return self.positions.num_embeddings * self.blocks[0].fc1.out_features

    def forward(self, pixels: Float[Tensor, "N 3 S S"]) -> Float[Tensor, "N D"]:
        """As `FrozenImageTower`."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)  # (N, P, W)
        x = torch.cat([self.class_embedding.expand(patches.shape[0], 1, -1), patches], dim=1)
        x = self.first_norm(x.add_(self.positions.weight))
        for block in self.blocks[:-1]:
            x = block(x)
        last, of_class = self.blocks[-1], x[:, 0]
        x = last.finish(of_class, last.gathered(of_class, x))
        return frozen_linear(self.final_norm(x), self.projection.weight, None)
