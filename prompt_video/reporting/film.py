"""Frames of a video, spread over its length."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from data_modules.decoding import VideoReader


@dataclass(frozen=True)
class FilmStrip:
    """Frames of a video, each from the middle of an equal part of it."""

    frames: UInt8[Tensor, "T 3 H W"]
    duration_sec: float


def read_strip(path: Path, num_frames: int = 12, height: int = 108) -> FilmStrip:
    """Frames of a video file.

    Args:
        path: the file.
        num_frames: number of parts of the video, each shown by one frame.
        height: pixels.

    Raises:
        BrokenVideoError: when it cannot be decoded.
    """
    with VideoReader(path) as reader:
        duration = float(reader.timeline.duration_sec)
        frames, _ = reader.decode((np.arange(num_frames) + 0.5) / num_frames * duration)
    width = max(1, round(frames.shape[-1] * height / frames.shape[-2]))
    return FilmStrip(resize(frames, [height, width], antialias=True), duration)
