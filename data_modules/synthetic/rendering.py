"""Moving shapes to real video files: one seeded video a call, encoded as h264 by PyAV."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import cast

import av
import numpy as np
import torch
from av.video.stream import VideoStream
from jaxtyping import UInt8
from torch import Tensor

from data_modules.files.atomic import write_whole
from data_modules.synthetic.shapes import (
    COLORS,
    FRAME_SIZE,
    SHAPES,
    Scene,
    draw,
    sample_backgrounds,
    sample_colors,
    sample_trajectories,
)

NUM_FRAMES = 32
FRAME_RATE = 12


@dataclass(frozen=True)
class RenderedVideo:
    """Frames of one video together with what is to be seen in them."""

    frames: UInt8[Tensor, "T 3 S S"]
    shape: str
    motion: str
    color: str
    scene: Scene


def video_seed(*parts: object) -> int:
    """A seed that depends on every part and on nothing else: not on order of rendering, process or platform."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big")


def render(shape: str, motion: str, seed: int) -> RenderedVideo:
    """Draw one video of ``NUM_FRAMES`` frames; equal arguments give equal frames."""
    generator = torch.Generator().manual_seed(seed)
    color = list(COLORS)[int(torch.randint(len(COLORS), (), generator=generator))]
    scene = sample_trajectories([motion], generator).at(torch.linspace(0, 1, NUM_FRAMES)[None])
    colors, backgrounds = sample_colors([color], generator), sample_backgrounds(1, generator)
    frames = draw(torch.tensor([SHAPES.index(shape)]), colors, backgrounds, scene)[0]
    return RenderedVideo(frames, shape, motion, color, scene)


def encode(
    target: str | BytesIO,
    container_format: str,
    codec: str,
    codec_options: dict[str, str],
    pictures: Iterable[UInt8[np.ndarray, "S S 3"]],
    frame_rate: int = FRAME_RATE,
) -> None:
    """Encode pictures of `FRAME_SIZE` as a video.

    Args:
        target: name of a file, or bytes to fill.
        container_format: as FFmpeg calls it.
        codec: as FFmpeg calls it.
        codec_options: of the encoder.
        pictures: one after another.
        frame_rate: pictures a second.
    """
    with av.open(target, "w", format=container_format) as container:
        stream = cast(VideoStream, container.add_stream(codec, rate=frame_rate, options=codec_options))
        stream.width, stream.height, stream.pix_fmt = FRAME_SIZE, FRAME_SIZE, "yuv420p"
        # One thread: the encoder's output depends on their number, and the files are to be the same everywhere.
        stream.thread_count, stream.time_base = 1, Fraction(1, frame_rate)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def write_mp4(pieces: Iterable[UInt8[Tensor, "T 3 H W"]], path: Path) -> None:
    """Encode frames, some at a time, as h264 at `FRAME_RATE`; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = (np.ascontiguousarray(array) for frames in pieces for array in frames.permute(0, 2, 3, 1).numpy())
    # A fixed quantiser: rate control does not give the same file each time, not even on one thread.
    codec_options = {"qp": "18", "preset": "veryfast"}
    write_whole(path, lambda partial: encode(str(partial), "mp4", "libx264", codec_options, arrays))
