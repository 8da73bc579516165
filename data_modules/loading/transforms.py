"""From decoded frames to the pictures that a frozen model was trained on. Normalisation happens in the model."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from data_modules.errors import InputError
from data_modules.features.encoder import CENTER, Place

Filter = Literal["bicubic", "bilinear"]
THREE_CROPS: tuple[Place, ...] = (CENTER, "start", "end")


class ResizeCrop:
    """Short side to ``size`` (antialiased), then a square, in the middle where nothing else is said.

    Works on uint8 from end to end, as CLIP's own pipeline does with PIL: sizes and crop are the same and the pixels
    differ by at most 2 grey levels, below 0.01 on average (held by tests against PIL and transformers'
    ``CLIPImageProcessorPil``). Like Pillow when CLIP was trained, this resizes along rows first; Pillow 13 does so
    along columns first where a picture is about twice as high as wide or more, and then rounds differently (by at most
    10 levels, 0.3 on average).

    Args:
        size: side of the square, in pixels.
        place: of the square along the long side: left or top is its start.
        method: filter of the resizing.
        short_side: pixels of the short side before the square is cut; None: ``size``, so that all of it is seen.

    Source: ``CLIPImageProcessor`` of transformers: the long side and the offset of the crop are rounded down.
    """

    def __init__(
        self, size: int = 224, place: Place = CENTER, method: Filter = "bicubic", short_side: int | None = None
    ) -> None:
        if size < 1:
            raise InputError(f"size must be 1 or more, not {size}")
        self.size, self.place, self.method, self.short_side = size, place, method, short_side or size
        if self.short_side < size:
            raise InputError(f"the short side must not be less than the size {size}, and {short_side} is.")

    @property
    def shape(self) -> tuple[int, int]:
        """As `FrameTransform`."""
        return self.size, self.size

    @property
    def places(self) -> tuple[Place, ...]:
        """Squares in the middle and at both ends."""
        return THREE_CROPS

    def at(self, place: Place) -> "ResizeCrop":
        """As `FrameTransform`."""
        return ResizeCrop(self.size, place, self.method, self.short_side)

    @property
    def recipe(self) -> str:
        """What is done, for the manifest of stored features."""
        return f"resize{self.short_side}-{self.method}-antialias/{self.place}crop{self.size}"

    def describe(self) -> str:
        """As `FrameTransform`."""
        where = "in the middle" if self.place == CENTER else f"at the {self.place}"
        return (
            f"The short side becomes {self.short_side} pixels ({self.method}, antialiased, the long side rounded "
            f"down), then the square of {self.size} {where} is cut out."
        )

    def __call__(self, frames: UInt8[Tensor, "*N 3 H W"], pixel_aspect: float = 1.0) -> UInt8[Tensor, "*N 3 S S"]:
        """As `FrameTransform`."""
        height, width = square_pixels(frames.shape[-2], frames.shape[-1], pixel_aspect)
        short = min(height, width)
        new_height, new_width = self.short_side * height // short, self.short_side * width // short
        if (new_height, new_width) != frames.shape[-2:]:
            frames = resize(frames, new_height, new_width, self.method)
        top, left = self._offset(new_height - self.size), self._offset(new_width - self.size)
        return channel_by_channel(frames[..., top : top + self.size, left : left + self.size])

    def _offset(self, spare: int) -> int:
        """Pixels in front of the square; along the short side there are none to spare."""
        return {"start": 0, "center": spare // 2, "end": spare}[self.place]


class Squash:
    """The whole frame made a square, whatever its shape.

    Args:
        size: side of the square, in pixels.
        method: filter of the resizing, which is antialiased.
    """

    def __init__(self, size: int = 224, method: Filter = "bicubic") -> None:
        if size < 1:
            raise InputError(f"size must be 1 or more, not {size}")
        self.size, self.place, self.method = size, CENTER, method

    @property
    def shape(self) -> tuple[int, int]:
        """As `FrameTransform`."""
        return self.size, self.size

    @property
    def places(self) -> tuple[Place, ...]:
        """All of the frame."""
        return (CENTER,)

    def at(self, place: Place) -> "Squash":
        """As `FrameTransform`."""
        if place != CENTER:
            raise InputError("this model sees all of a frame: there are no crops of it; set data.num_crops to 1.")
        return self

    @property
    def recipe(self) -> str:
        """What is done, for the manifest of stored features."""
        return f"squash{self.size}-{self.method}-antialias"

    def describe(self) -> str:
        """As `FrameTransform`."""
        return f"The whole frame, of any shape, becomes {self.size} x {self.size} pixels ({self.method}, antialiased)."

    def __call__(self, frames: UInt8[Tensor, "*N 3 H W"], pixel_aspect: float = 1.0) -> UInt8[Tensor, "*N 3 S S"]:
        """As `FrameTransform`; whatever the shape of the pixels, the square is of all of them."""
        same = frames.shape[-2:] == self.shape
        return channel_by_channel(frames) if same else resize(frames, self.size, self.size, self.method)


def channel_by_channel(frames: UInt8[Tensor, "*N 3 H W"]) -> UInt8[Tensor, "*N 3 H W"]:
    """Frames laid out as the model reads them; NumPy takes every third byte in less than half of torch's time."""
    pixels, laid_out = frames.numpy(), np.empty(frames.shape, np.uint8)
    for channel in range(3):
        laid_out[..., channel, :, :] = pixels[..., channel, :, :]
    return torch.from_numpy(laid_out)


def square_pixels(height: int, width: int, pixel_aspect: float) -> tuple[int, int]:
    """Height and width at which a picture is shown: one of them grows, as in players, so that no line is lost."""
    return round(height * max(1.0, 1 / pixel_aspect)), round(width * max(1.0, pixel_aspect))


def resize(
    frames: UInt8[Tensor, "*N 3 H W"], height: int, width: int, mode: Filter = "bilinear"
) -> UInt8[Tensor, "*N 3 h w"]:
    """Frames of another size, antialiased; on the CPU.

    Equal to torchvision's ``resize``, whose import takes two seconds of every command.
    """
    small = F.interpolate(frames.reshape(-1, *frames.shape[-3:]), (height, width), mode=mode, antialias=True)
    return small.reshape(*frames.shape[:-2], height, width)
