"""One clip stored in many ways: codecs, key frames and time stamps as they occur, for tests and the benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

FRAME_RATE = 30


@dataclass(frozen=True)
class Encoding:
    """How a video is stored.

    Args:
        options: of the encoder.
        lead: frames of the start whose display times are negative: the file gets an edit list that hides them.
        start_sec: time stamp of the first frame.
        variable: frame times jitter, with a pause in the middle.
        cut: leave out what precedes the second key frame, without decoding, as a trim by stream copy does.
    """

    suffix: str = ".mp4"
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    lead: int = 0
    start_sec: float = 0.0
    variable: bool = False
    cut: bool = False


ENCODINGS = {
    "h264_key12": Encoding(options={"g": "12", "keyint_min": "12"}),
    "h264_key250": Encoding(options={"g": "250"}),
    "mpeg4_avi": Encoding(".avi", "mpeg4", {"b": "1M"}),
    "mpeg4_bframes_avi": Encoding(".avi", "mpeg4", {"b": "1M", "bf": "2", "g": "48"}),
    "mpeg4_bframes_mp4": Encoding(".mp4", "mpeg4", {"b": "1M", "bf": "2", "g": "48"}),
    "open_gop": Encoding(options={"g": "24", "x264-params": "open-gop=1"}),
    "open_gop_cut": Encoding(".ts", options={"g": "24", "x264-params": "open-gop=1"}, cut=True),
    "variable_frame_rate": Encoding(".mkv", options={"g": "60"}, variable=True),
    "edit_list": Encoding(options={"g": "60"}, lead=40),
    "late_start": Encoding(options={"g": "60"}, start_sec=10.0),
    "negative_start": Encoding(".mkv", options={"g": "60"}, start_sec=-0.05),
}


def write_video(encoding: Encoding, path: Path, frames: Sequence[av.VideoFrame]) -> None:
    """Encode frames of one size, `FRAME_RATE` a second; their time stamps are set."""
    rng = np.random.default_rng(0)
    variable = encoding.variable
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoding.codec, rate=FRAME_RATE, options={"threads": "1", **encoding.options})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        tick = Fraction(1, 1000 if variable else FRAME_RATE)
        stream.codec_context.time_base = tick
        num_keys = 0
        for place, picture in enumerate([*frames, None]):
            if picture is not None:
                jitter = int(rng.integers(-12, 13)) + 500 * (place > len(frames) // 2) if variable else 0
                at = (place - encoding.lead) / FRAME_RATE + encoding.start_sec
                picture.pts, picture.time_base = round(at / tick) + jitter, tick
            for packet in stream.encode(picture):
                num_keys += packet.is_keyframe
                if not encoding.cut or num_keys > 1:
                    container.mux(packet)
