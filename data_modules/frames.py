"""All frames of many videos as a stream of even chunks, for feature extraction in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from data_modules.batch import BrokenVideo, Record
from data_modules.decoding import VideoReader
from data_modules.errors import BrokenVideoError
from data_modules.transforms import ResizeCrop

CHUNK_FRAMES = 128  # what the encoder is given at once


@dataclass(frozen=True)
class Piece:
    """Some frames of one video inside a chunk; ``duration_sec`` stands on the video's last piece only."""

    video_id: str
    path: Path
    times_sec: list[float]
    duration_sec: float | None


@dataclass(frozen=True)
class Chunk:
    """Cropped frames of one video or several, and which are whose, in order."""

    frames: UInt8[Tensor, "N 3 S S"]
    pieces: list[Piece]
    broken: list[BrokenVideo]

    def pin_memory(self) -> "Chunk":
        """With the frames in page-locked memory; a data loader asks for it."""
        return replace(self, frames=self.frames.pin_memory())


class FrameChunks(IterableDataset[Chunk]):
    """Frames of whole videos, about `CHUNK_FRAMES` at a time: short videos share a chunk, long ones span several.

    The pieces of one video come in order and from one worker; a video that breaks in the middle ends as `BrokenVideo`.

    Args:
        records: the videos of this process.
        crop: from decoded frame to what CLIP sees.
        frame_rate: frames a second; null for all.
    """

    def __init__(self, records: Sequence[Record], crop: ResizeCrop, frame_rate: float | None) -> None:
        self.records = records
        self.crop = crop
        self.frame_rate = frame_rate

    def __iter__(self) -> Iterator[Chunk]:
        worker = get_worker_info()
        records = self.records[worker.id :: worker.num_workers] if worker else self.records
        frames: list[Tensor] = []
        pieces: list[Piece] = []
        broken: list[BrokenVideo] = []
        held = 0
        for record in records:
            times: list[float] = []
            try:
                with VideoReader(record.path) as reader:
                    for picture, time_sec in self._stream(reader):
                        frames.append(picture)
                        times.append(time_sec)
                        held += 1
                        if held == CHUNK_FRAMES:
                            pieces.append(Piece(record.video_id, record.path, times, None))
                            yield Chunk(torch.stack(frames), pieces, broken)
                            frames, pieces, broken, times, held = [], [], [], [], 0
                    pieces.append(Piece(record.video_id, record.path, times, reader.timeline.duration_sec))
            except BrokenVideoError as error:
                # The frames that were read stay in the chunk as a piece without an end; the writer drops them.
                if times:
                    pieces.append(Piece(record.video_id, record.path, times, None))
                broken.append(BrokenVideo(record.video_id, str(record.path), error.reason))
        if pieces or broken:
            size = self.crop.size
            stacked = torch.stack(frames) if frames else torch.empty(0, 3, size, size, dtype=torch.uint8)
            yield Chunk(stacked, pieces, broken)

    def _stream(self, reader: VideoReader) -> Iterator[tuple[Tensor, float]]:
        """Cropped frames in order: all of them, or the ones on screen in the middle of each tick of the frame rate."""
        if self.frame_rate is None:
            for frame, time_sec in reader.frames():
                yield self.crop(frame), time_sec
            return
        ticks = max(1, round(reader.timeline.duration_sec * self.frame_rate))
        moments = (np.arange(ticks) + 0.5) / self.frame_rate
        for (frame, _), moment in zip(reader.stream(moments), moments.tolist(), strict=True):
            yield self.crop(frame), moment
