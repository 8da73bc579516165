"""Frames of one video to features of the frozen backbone."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from data_modules.errors import InputError
from data_modules.features.encoder import FrameTransform
from data_modules.video.decoding import VideoReader
from data_modules.video.timeline import Timeline
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.inference.inference_config import InferenceConfig

FRAMES_AT_A_TIME = 64

Progress = Callable[[float, float], None]  # seconds of the video that are done, and of all of it


def open_video(path: Path) -> VideoReader:
    """A video, to be read.

    Raises:
        InputError: when there is no such file.
        BrokenVideoError: when the video cannot be used.
    """
    if not os.path.lexists(path):
        raise InputError(f"there is no video {path}.")
    return VideoReader(path)


def view_features(reader: VideoReader, config: InferenceConfig, backbone: FrozenBackbone) -> Float[Tensor, "V T D"]:
    """Features of the moments that stand for a video, view by view, those of each crop after another.

    Raises:
        BrokenVideoError: when one of the frames is damaged.
    """
    stored = reader.timeline.ticks(config.frame_rate)
    length_sec = stored.duration_sec - stored.start_sec
    moments = stored.start_sec + config.sampler.test(length_sec, stored.frame_rate, np.random.default_rng(0))
    if config.frame_rate is not None:
        moments = stored.times_sec[stored.on_screen(moments.reshape(-1))].reshape(moments.shape)
    squares, _ = reader.decode(
        moments.reshape(-1), lambda frame: torch.stack([crop(frame, reader.pixel_aspect) for crop in config.crops])
    )
    return torch.cat([torch.unflatten(_encoded(backbone, square), 0, moments.shape) for square in squares.unbind(1)])


def all_features(
    reader: VideoReader,
    frame_rate: float | None,
    crop: FrameTransform,
    backbone: FrozenBackbone,
    progress: Progress | None = None,
) -> tuple[Float[Tensor, "N D"], Float64[np.ndarray, " N"]]:
    """Features of a whole video on the CPU, frame after frame, and when those frames are on screen.

    Two hours at ten frames a second are 147 MB for a joint space of 512 dimensions; of frames there are never more than
    a few in memory.

    Raises:
        BrokenVideoError: when a frame is damaged.
    """
    stored = reader.timeline.ticks(frame_rate)
    features = []
    for part, frame_of, time_sec in _chunks(reader, stored, crop):
        features.append(_encoded(backbone, part).cpu()[frame_of])
        if progress is not None:
            progress(min(time_sec, stored.duration_sec), stored.duration_sec)
    if progress is not None:
        progress(stored.duration_sec, stored.duration_sec)
    return torch.cat(features), stored.times_sec[: sum(map(len, features))]


def _chunks(reader: VideoReader, stored: Timeline, crop: FrameTransform) -> Iterator[tuple[Tensor, list[int], float]]:
    """Some cropped frames at a time; which of them is on screen at each moment, and the last moment."""
    held: list[Tensor] = []
    frame_of: list[int] = []
    on_screen: Tensor | None = None
    moment = 0.0
    for (frame, _), moment in zip(reader.stream(stored.times_sec), stored.times_sec.tolist(), strict=False):
        if frame is not on_screen:  # one that stays is encoded once
            if len(held) == FRAMES_AT_A_TIME:
                yield torch.stack(held), frame_of, moment
                held, frame_of = [], []
            held.append(crop(frame, reader.pixel_aspect))
            on_screen = frame
        frame_of.append(len(held) - 1)
    if held:
        yield torch.stack(held), frame_of, moment


def _encoded(backbone: FrozenBackbone, frames: Tensor) -> Float[Tensor, "N D"]:
    return backbone.encode_frames(frames.to(backbone.mean.device))
