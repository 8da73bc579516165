"""Image encoders without a class token, whose feature is what a learned query gathers from all patches: SigLIP's."""

from collections.abc import Sequence
from typing import cast

from jaxtyping import Bool, Float
from torch import Tensor, nn

from prompt_video.backbones.frozen_block import FrozenBlock
from prompt_video.backbones.towers import FrozenImageTower


class PoolingEncoder(nn.Module):
    """The layers, and the attention that pools the patches.

    Args:
        blocks: the layers.
        final_norm: behind the last of them.
        probe: the query that looks at all patches.
        pooling: attention and MLP of the probe; it has no first norm, and the probe itself is not added.
    """

    def __init__(
        self, blocks: Sequence[FrozenBlock], final_norm: nn.LayerNorm, probe: nn.Parameter, pooling: FrozenBlock
    ) -> None:
        super().__init__()
        self.blocks = cast("Sequence[FrozenBlock]", nn.ModuleList(blocks))
        self.final_norm, self.probe, self.pooling = final_norm, probe, pooling

    def forward(self, x: Float[Tensor, "N P W"], seen: Bool[Tensor, "N P"] | None = None) -> Float[Tensor, "N W"]:
        """One feature a picture.

        Args:
            x: embedded patches with their positions.
            seen: which patches are there; the others are padding. None: all.
        """
        mask = None if seen is None else seen[:, None, None]
        for block in self.blocks:
            x = block(x, mask)
        attended = self.pooling.gathered(self.probe[0], self.final_norm(x), mask)
        return self.pooling.finish(attended.new_zeros(attended.shape), attended)


class PoolingVisionTower(FrozenImageTower):
    """The frozen image encoder.

    Args:
        patch_embedding: pixels to patches.
        positions: one row a patch.
        encoder: what follows.
    """

    def __init__(self, patch_embedding: nn.Conv2d, positions: nn.Embedding, encoder: PoolingEncoder) -> None:
        super().__init__()
        self.patch_embedding, self.positions, self.encoder = patch_embedding, positions, encoder

    @property
    def largest_layer(self) -> int:
        """As `FrozenImageTower`."""
        return self.positions.num_embeddings * self.encoder.blocks[0].fc1.out_features

    def forward(self, pixels: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N D"]:
        """As `FrozenImageTower`."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)  # (N, P, W)
        features: Tensor = self.encoder(patches + self.positions.weight)
        return features
