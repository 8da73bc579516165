"""SigLIP 2 NaFlex's image encoder: pictures of any aspect, as so many patches as fit; positions resized for each."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from prompt_video.backbones.frozen_linear import frozen_linear
from prompt_video.backbones.pooling_vision import PoolingEncoder
from prompt_video.backbones.towers import FrozenImageTower


class NaflexVisionTower(FrozenImageTower):
    """The frozen image encoder.

    Args:
        patch_embedding: a patch's numbers, row by row, its colours last, to the encoder's width.
        positions: one row a cell of a square grid, which is stretched over every picture.
        encoder: what follows.
        mean: that pixels in [0, 1] are normalised with, by channel.
        std: as ``mean``.
        height: of the strips, the side of a patch, pixels.
        width: of the strips, see `PatchStrip`.
    """

    takes_bytes = True  # the strip says how many rows and columns there are, which must not be normalised

    def __init__(
        self,
        patch_embedding: nn.Linear,
        positions: nn.Embedding,
        encoder: PoolingEncoder,
        mean: Sequence[float],
        std: Sequence[float],
        height: int,
        width: int,
    ) -> None:
        super().__init__()
        self.patch_embedding, self.positions, self.encoder = patch_embedding, positions, encoder
        self.patch, self.most = height, width // height - 1
        self.mean, self.std = tuple(mean), tuple(std)

    @property
    def largest_layer(self) -> int:
        """As `FrozenImageTower`."""
        return self.most * self.encoder.blocks[0].fc1.out_features

    def forward(self, strips: UInt8[Tensor, "N 3 P L"]) -> Float[Tensor, "N D"]:
        """Features of frames as `data_modules.loading.patch_strip.PatchStrip` gives them."""
        patches = torch.unflatten(strips, 3, (self.most + 1, self.patch)).permute(0, 3, 2, 4, 1)  # (N, P, p, p, 3)
        grid = patches[:, -1, 0, :2, 0].long() + 1  # (N, 2)
        seen = torch.arange(self.most, device=strips.device) < grid.prod(dim=1, keepdim=True)
        exact = torch.promote_types(self.patch_embedding.weight.dtype, torch.float32)
        mean, std = (strips.new_tensor(values, dtype=exact) for values in (self.mean, self.std))
        normalised = (patches[:, :-1].to(exact) / 255 - mean) / std
        pixels = normalised.flatten(2).to(self.patch_embedding.weight.dtype)
        embedded = frozen_linear(pixels, self.patch_embedding.weight, self.patch_embedding.bias)
        features: Tensor = self.encoder(embedded + self._stretched(grid), seen)
        return features

    def _stretched(self, grid: Int[Tensor, "N 2"]) -> Float[Tensor, "N P W"]:
        """The positions of every patch; those of padding are any.

        Resizing a grid is linear along each axis: a patch's position is a sum over the table's rows and columns.
        """
        table = self.positions.weight.to(torch.promote_types(self.positions.weight.dtype, torch.float32))
        side = round(len(table) ** 0.5)
        number = torch.arange(self.most, device=grid.device)
        rows, columns = grid.unsqueeze(2).unbind(1)  # (N, 1) each
        shares = resize_shares(side, self.most, grid.device).to(table.dtype)
        of_rows, of_columns = shares[rows - 1, number // columns], shares[columns - 1, number % columns]  # (N, P, side)
        cells = (of_rows.unsqueeze(3) * of_columns.unsqueeze(2)).flatten(2)
        return (cells @ table).to(self.positions.weight.dtype)


@lru_cache(maxsize=4)
def resize_shares(side: int, most: int, device: torch.device) -> Float[Tensor, "M M S"]:
    """How ``side`` values are resized to n, for every n up to ``most``: row n - 1 has the share of each in each.

    Bilinear and antialiased, as torch's `interpolate` does it, of which these are the coefficients.
    """
    with torch.inference_mode(False), torch.no_grad():
        shares = torch.zeros(most, most, side)
        for number in range(1, most + 1):
            unit = torch.eye(side)[None, None]
            shares[number - 1, :number] = F.interpolate(unit, (number, side), mode="bilinear", antialias=True)[0, 0]
        return shares.to(device)
