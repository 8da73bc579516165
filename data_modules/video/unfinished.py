"""Which pictures of HEVC end early: FFmpeg leaves their rest as it lay in memory, and does not say so.

A flipped bit may end a slice before its last block, and what follows is passed over. So the memory of pictures that
were shown is marked before the decoder gets it back: zeros, as fresh memory has them, at a point of each block that may
be missing. A color of three zeros is none that a camera or a screen has. Where it is found it is decoded once more over
another mark, as a recording may begin with nothing but zeros.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8, UInt16

from data_modules.video.demuxing import PacketSource

_BLOCK = 16  # pixels to each side of the smallest block that can be missing
_INSIDE = 4  # beyond its border, which filters of the blocks beside it change
_MOST_FRAMES, _LEAST_FRAMES = 17, 6  # how long a decoder may refer to a picture that was shown: most have five
_MOST_BYTES = 32 << 20

_Points = UInt8[np.ndarray, "rows columns"] | UInt16[np.ndarray, "rows columns"]


class UnfinishedPictures:
    """Marks the memory of one decoder.

    Args:
        mark: what is written; 0 is seen in fresh memory, too.
    """

    def __init__(self, mark: int = 0) -> None:
        self._mark = mark
        self._shown: deque[av.VideoFrame] = deque()

    def release(self, frame: av.VideoFrame) -> None:
        """Take a picture that nobody looks at any more; it is marked once the decoder needs it no longer."""
        self._shown.append(frame)
        num_bytes = sum(plane.buffer_size for plane in frame.planes)
        while len(self._shown) > min(_MOST_FRAMES, max(_LEAST_FRAMES, _MOST_BYTES // num_bytes)):
            self._mark_oldest()

    def end(self) -> None:
        """Mark all: the decoder has been flushed."""
        while self._shown:
            self._mark_oldest()

    def _mark_oldest(self) -> None:
        frame = self._shown.popleft()
        frame.make_writable()  # a copy, where the decoder still refers to it
        for points in _points(frame):
            points[:] = self._mark


def may_be_unfinished(frame: av.VideoFrame) -> bool:
    """Whether a block is nothing but zeros."""
    luma, *chroma = _points(frame)
    if any(points.all() for points in chroma):
        return False
    is_blank = luma == 0
    for points in chroma:
        is_blank &= points == 0
    return bool(chroma) and bool(is_blank.any())


def is_blank_there(path: Path, number: int) -> bool:
    """Whether a picture holds zeros of its own: whether they are there over another mark as well.

    Args:
        path: of the video.
        number: of the packet.
    """
    source, memory, is_blank = PacketSource(path), UnfinishedPictures(mark=255), False
    keys = np.flatnonzero(source.packets.is_key[: number + 1])
    packets = [packet for _, packet in source.numbered(int(keys[-2]) if len(keys) > 1 else 0, number)]
    for _ in range(2):  # the first time memory is fresh
        for packet in [*packets, None]:
            with suppress(av.FFmpegError):
                frames = source.codec.decode(packet)
                while frames:  # nothing else may hold on to one: what is held does not come back
                    if frames[0].pts == number:
                        is_blank = may_be_unfinished(frames[0])
                    memory.release(frames.pop(0))
        source.codec.flush_buffers()
        memory.end()
    source.close()
    return is_blank


def _points(frame: av.VideoFrame) -> Iterator[_Points]:
    """One point of each block, plane by plane."""
    for plane in frame.planes:
        width = plane.width
        depth = np.dtype(np.uint8 if frame.format.components[0].bits <= 8 else np.uint16)
        rows = np.frombuffer(memoryview(plane), depth).reshape(plane.height, plane.line_size // depth.itemsize)
        across, down = _BLOCK * width // frame.width, _BLOCK * plane.height // frame.height
        yield rows[_INSIDE * down // _BLOCK :: down, _INSIDE * across // _BLOCK : width : across]
