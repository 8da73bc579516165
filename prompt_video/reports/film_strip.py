"""Frames of a video, spread over its length."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from data_modules.loading.transforms import resize, square_pixels
from data_modules.video.decoding import VideoReader


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
        shown_height, shown_width = square_pixels(frames.shape[-2], frames.shape[-1], reader.pixel_aspect)
    width = max(1, round(shown_width * height / shown_height))
    return FilmStrip(resize(frames, height, width), duration)


def film_strip(frames: UInt8[Tensor, "T 3 H W"]) -> str:
    """Frames side by side as a JPEG data URI: a PNG of real frames is three times as large, and takes 100 ms."""
    strip = frames.permute(2, 0, 3, 1).flatten(1, 2).numpy()  # (H, T * W, 3)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(strip)).save(buffer, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
