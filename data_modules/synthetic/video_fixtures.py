"""Small synthetic video files, short and long, for dry runs."""

import io
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from data_modules.synthetic.rendering import FRAME_RATE, encode, render

SCENES = (("star", "moving left"), ("heart", "spinning"), ("moon", "growing"), ("square", "moving up"))
NUM_FRAMES = 16  # of a short video
SLOW_RATE = 1  # frames a second of a long video, so that minutes are but a few hundred frames to write and encode
# Container and codec as the data sets have them; everything else becomes an mp4, whatever it is called.
FORMATS = {".avi": ("avi", "mpeg4", {}), ".webm": ("webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"})}
MP4 = ("mp4", "libx264", {"preset": "ultrafast"})


class Action(NamedTuple):
    """Which of `SCENES` is shown, from when to when."""

    start_sec: float
    end_sec: float
    scene: int


@cache
def video(scene: int, suffix: str) -> bytes:
    """A video file of a second or so.

    Args:
        scene: which of `SCENES` it shows.
        suffix: of the file's name.
    """
    return _encoded(_pictures(scene), FRAME_RATE, suffix)


def long_video(duration_sec: float, actions: Sequence[Action], suffix: str) -> bytes:
    """A video file of any length at `SLOW_RATE`, grey where nothing happens.

    Args:
        duration_sec: of the video.
        actions: what it shows; of several at one moment the first.
        suffix: of the file's name.
    """
    moments = ((number + 0.5) / SLOW_RATE for number in range(max(1, round(duration_sec * SLOW_RATE))))
    return _encoded((_picture_at(moment, actions) for moment in moments), SLOW_RATE, suffix)


def _picture_at(moment_sec: float, actions: Sequence[Action]) -> UInt8[np.ndarray, "S S 3"]:
    for action in actions:
        if action.start_sec <= moment_sec < action.end_sec:
            pictures = _pictures(action.scene)
            picture: np.ndarray = pictures[int(moment_sec * SLOW_RATE) % len(pictures)]
            return picture
    return np.full_like(_pictures(0)[0], 128)


@cache
def _pictures(scene: int) -> UInt8[np.ndarray, "T S S 3"]:
    frames = render(*SCENES[scene], seed=scene).frames[-NUM_FRAMES:]
    return np.ascontiguousarray(frames.permute(0, 2, 3, 1).numpy())


def _encoded(pictures: Iterable[UInt8[np.ndarray, "S S 3"]], frame_rate: int, suffix: str) -> bytes:
    file = io.BytesIO()
    encode(file, *FORMATS.get(suffix, MP4), pictures, frame_rate)
    return file.getvalue()
