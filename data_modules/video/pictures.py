"""What a decoded frame becomes: RGB, turned as it is to be displayed."""

from typing import TypeAlias
from zlib import crc32

import av
import numpy as np
import torch
from av.sidedata.sidedata import SideData
from av.video.reformatter import VideoReformatter
from jaxtyping import Int32, UInt8
from torch import Tensor

Picture: TypeAlias = UInt8[np.ndarray, "H W 3"]


def picture_of(frame: av.VideoFrame, reformatter: VideoReformatter) -> tuple[Picture, bool]:
    """RGB, turned as it is to be displayed.

    Args:
        frame: as it left the decoder.
        reformatter: which keeps what it needs for the next frame of the same size.

    Returns:
        The picture, and whether its sides are exchanged.
    """
    plane = reformatter.reformat(frame, format="rgb24", threads=1).planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(frame.height, plane.line_size)
    picture = rows[:, : frame.width * 3].reshape(frame.height, frame.width, 3)
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return turned(picture, np.frombuffer(bytes(matrix), np.int32)) if isinstance(matrix, SideData) else (picture, False)


def turned(picture: Picture, matrix: Int32[np.ndarray, " 9"]) -> tuple[UInt8[np.ndarray, "H2 W2 3"], bool]:
    """Apply a display matrix: (x, y) goes to (a x + c y, b x + d y), y pointing down; to the nearest right angle.

    Returns:
        The picture, and whether its sides are exchanged.
    """
    a, b, c, d = (int(matrix[place]) for place in (0, 1, 3, 4))
    on_its_side = abs(a) < abs(b)
    if on_its_side:
        picture, a, d = picture.transpose(1, 0, 2), c, b
    return picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1], on_its_side


def as_tensor(picture: Picture) -> UInt8[Tensor, "3 H W"]:
    """The picture as torch has it, channels first; a copy, if it is not laid out row by row."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)


def checksum(picture: Picture) -> int:
    """Equal for equal pictures."""
    return crc32(picture.tobytes())
