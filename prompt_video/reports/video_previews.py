"""Short, small copies of videos that every browser plays."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from data_modules.loading.transforms import resize, square_pixels
from data_modules.video.decoding import VideoReader

SHORT_SIDE = 160  # pixels
MAX_SEC = 10.0
MAX_RATE = 15  # frames a second


def write_preview(
    video: Path, path: Path, start_sec: float = 0.0, *, short_side: int = SHORT_SIDE, max_sec: float = MAX_SEC
) -> None:
    """Encode the beginning of a video as h264 in an mp4 file, without sound.

    Args:
        video: the file, of any kind that can be decoded.
        path: the file to write.
        start_sec: begin here; before the end of the video.
        short_side: of its pictures, pixels, at most.
        max_sec: its length at most.

    Raises:
        BrokenVideoError: when what is to be shown cannot be decoded.
    """
    with VideoReader(video) as reader:
        timeline = reader.timeline
        start = max(min(start_sec, timeline.duration_sec - 1.0), timeline.start_sec)
        rate = max(1, round(min(MAX_RATE, timeline.frame_rate)))
        length = min(timeline.duration_sec - start, max_sec)
        frames = reader.stream(start + np.arange(max(1, round(length * rate))) / rate)
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream = container.add_stream("libx264", rate=rate, options={"crf": "26", "preset": "veryfast"})
            stream.time_base = Fraction(1, rate)
            for number, (frame, _) in enumerate(frames):
                height, width = square_pixels(frame.shape[-2], frame.shape[-1], reader.pixel_aspect)
                scale = min(1.0, short_side / min(height, width))
                # The encoder stores colours for squares of four pixels.
                size = [max(2, 2 * round(side * scale / 2)) for side in (height, width)]
                if number == 0:
                    stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
                small = resize(frame, size[0], size[1]).permute(1, 2, 0).contiguous().numpy()
                container.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="rgb24")))
            container.mux(stream.encode())
