"""Frames that keep their aspect, cut into patches: the pictures of a batch differ in size, its tensors do not."""

import math
from functools import lru_cache

import torch
from jaxtyping import UInt8
from torch import Tensor

from data_modules.errors import InputError
from data_modules.features.encoder import CENTER, Place
from data_modules.loading.transforms import resize, square_pixels


class PatchStrip:
    """Frames as a row of square patches: as large as so many of them allow, bilinear, antialiased, aspect kept.

    What comes out has one size: the patches side by side, row by row of the picture, zeros where there are fewer, and
    a last one whose first two values are the numbers of rows and columns, less one each.

    Args:
        patch: side of a patch, pixels.
        most: patches of a frame at most; up to 256, so that their numbers fit into bytes.

    Source: ``Siglip2ImageProcessor`` of transformers.
    """

    def __init__(self, patch: int = 16, most: int = 256) -> None:
        if patch < 2 or not 1 <= most <= 256:
            raise InputError(f"patches must be of 2 pixels or more, and 1 to 256 of them, not {most} of {patch}")
        self.patch, self.most = patch, most

    @property
    def shape(self) -> tuple[int, int]:
        """As `FrameTransform`."""
        return self.patch, (self.most + 1) * self.patch

    @property
    def place(self) -> Place:
        """As `FrameTransform`."""
        return CENTER

    @property
    def places(self) -> tuple[Place, ...]:
        """All of the frame."""
        return (CENTER,)

    @property
    def recipe(self) -> str:
        """What is done, for the manifest of stored features."""
        return f"keep-aspect-{self.most}x{self.patch}px-bilinear-antialias"

    def describe(self) -> str:
        """As `FrameTransform`."""
        return (
            f"The frame becomes as large as {self.most} patches of {self.patch} x {self.patch} pixels allow, its "
            "aspect kept (bilinear, antialiased); the patches lie side by side, row by row, zeros behind them, and the "
            "first two values of a last one are the numbers of rows and of columns, less one each."
        )

    def at(self, place: Place) -> "PatchStrip":
        """As `FrameTransform`."""
        if place != CENTER:
            raise InputError("this model sees all of a frame: there are no crops of it; set data.num_crops to 1.")
        return self

    def __call__(self, frames: UInt8[Tensor, "*N 3 H W"], pixel_aspect: float = 1.0) -> UInt8[Tensor, "*N 3 P L"]:
        """Resize and cut; any number of leading axes.

        Args:
            frames: as they are stored.
            pixel_aspect: width of a pixel to its height; the picture is shown as a player does, with square ones.
        """
        shown = square_pixels(frames.shape[-2], frames.shape[-1], pixel_aspect)
        height, width = fitting_size(*shown, self.patch, self.most)
        if (height, width) != frames.shape[-2:]:
            frames = resize(frames, height, width, "bilinear")
        rows, columns = height // self.patch, width // self.patch
        cells = frames.reshape(*frames.shape[:-2], rows, self.patch, columns, self.patch)
        strip = frames.new_zeros(*frames.shape[:-2], self.patch, self.most + 1, self.patch)
        strip[..., : rows * columns, :] = cells.movedim(-4, -3).flatten(-3, -2)
        strip[..., :, 0, self.most, :2] = torch.tensor([rows - 1, columns - 1], dtype=torch.uint8)
        return strip.flatten(-2)


@lru_cache
def fitting_size(height: int, width: int, patch: int, most: int, tolerance: float = 1e-5) -> tuple[int, int]:
    """The largest size of about the same aspect that whole patches fill, no more than ``most``.

    Source: ``get_image_size_for_max_num_patches`` of transformers, image_processing_siglip2.py.
    """

    def scaled(side: int, scale: float) -> int:
        return max(patch, math.ceil(side * scale / patch) * patch)

    smallest, largest = tolerance / 10, 100.0
    while largest - smallest >= tolerance:
        scale = (smallest + largest) / 2
        if (scaled(height, scale) / patch) * (scaled(width, scale) / patch) <= most:
            smallest = scale
        else:
            largest = scale
    return scaled(height, smallest), scaled(width, smallest)
