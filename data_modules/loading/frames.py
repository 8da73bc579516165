"""All frames of many videos as a stream of even chunks, for feature extraction in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from data_modules.batch import BrokenVideo, Record
from data_modules.errors import BrokenVideoError
from data_modules.features.encoder import FrameTransform
from data_modules.video.decoding import VideoReader

MOST_A_SECOND = 1000.0  # frames that anyone asks for: no camera of these data sets takes more
CHUNK_FRAMES = 128  # what the encoder is given at once


@dataclass(frozen=True)
class Piece:
    """Some moments of one video inside a chunk.

    Args:
        video_id: of the video.
        path: of the video.
        times_sec: the moments.
        duration_sec: on the video's last piece only.
        frame_of: which of the piece's frames is on screen at each moment; one that stays is there only once.
    """

    video_id: str
    path: Path
    times_sec: list[float]
    duration_sec: float | None
    frame_of: list[int]

    @property
    def num_frames(self) -> int:
        """Frames in the chunk that are this piece's."""
        return self.frame_of[-1] + 1 if self.frame_of else 0


@dataclass(frozen=True)
class Chunk:
    """Cropped frames of one video or several, and which are whose, in order."""

    frames: UInt8[Tensor, "N 3 H W"]
    pieces: list[Piece]
    broken: list[BrokenVideo]

    def pin_memory(self) -> "Chunk":
        """The same chunk with its frames in page-locked memory; a data loader asks for it."""
        return replace(self, frames=self.frames.pin_memory())


class FrameChunks(IterableDataset[Chunk]):
    """Frames of whole videos, about `CHUNK_FRAMES` at a time: short videos share a chunk, long ones span several.

    The pieces of one video come in order and from one worker; a video that breaks in the middle ends as `BrokenVideo`.

    Args:
        records: the videos of this process.
        crop: from decoded frame to what CLIP sees.
        frame_rate: frames a second; null for all.
    """

    def __init__(self, records: Sequence[Record], crop: FrameTransform, frame_rate: float | None) -> None:
        self.records = records
        self.crop = crop
        self.frame_rate = frame_rate

    def __iter__(self) -> Iterator[Chunk]:
        worker = get_worker_info()
        records = self.records[worker.id :: worker.num_workers] if worker else self.records
        frames: list[Tensor] = []
        pieces: list[Piece] = []
        broken: list[BrokenVideo] = []
        for record in records:
            piece = Piece(record.video_id, record.path, [], None, [])
            on_screen: Tensor | None = None
            try:
                with VideoReader(record.path) as reader:
                    for frame, time_sec in self._stream(reader):
                        if frame is not on_screen:
                            if len(frames) == CHUNK_FRAMES:
                                pieces += [piece] if piece.times_sec else []
                                yield Chunk(torch.stack(frames), pieces, broken)
                                frames, pieces, broken = [], [], []
                                piece = Piece(record.video_id, record.path, [], None, [])
                            frames.append(self.crop(frame, reader.pixel_aspect))
                            piece.frame_of.append(piece.num_frames)
                            on_screen = frame
                        else:
                            piece.frame_of.append(piece.num_frames - 1)
                        piece.times_sec.append(time_sec)
                    pieces.append(replace(piece, duration_sec=reader.timeline.duration_sec))
            except BrokenVideoError as error:
                # The frames that were read stay in the chunk as a piece without an end; the writer drops them.
                pieces += [piece] if piece.times_sec else []
                broken.append(BrokenVideo(record.video_id, str(record.path), error.reason))
        if pieces or broken:
            stacked = torch.stack(frames) if frames else torch.empty(0, 3, *self.crop.shape, dtype=torch.uint8)
            yield Chunk(stacked, pieces, broken)

    def _stream(self, reader: VideoReader) -> Iterator[tuple[Tensor, float]]:
        """Frames in order: all of them, or the ones on screen in the middle of each tick of the frame rate."""
        if self.frame_rate is None:
            return reader.frames()
        moments = reader.timeline.ticks(self.frame_rate).times_sec
        return ((frame, at) for (frame, _), at in zip(reader.stream(moments), moments.tolist(), strict=True))
