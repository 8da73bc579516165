"""Which moments of a video to look at: pure, in seconds from its first frame, seeded from outside.

All moments are centres of frames, ``(i + 0.5) / frame_rate``: half a frame away from where rounding could choose a
neighbour.
"""

import math
from abc import ABC, abstractmethod
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from data_modules.errors import InputError


class Sampler(ABC):
    """Which moments of a video to look at; V views of T moments each, in seconds from the first frame.

    Each argument of its constructor is an attribute of the same name, see `data_modules.loading.settings`.
    """

    @abstractmethod
    def train(self, duration_sec: float, frame_rate: float, rng: np.random.Generator) -> Float64[np.ndarray, "1 T"]:
        """One view, drawn at random."""

    @abstractmethod
    def test(self, duration_sec: float, frame_rate: float, rng: np.random.Generator) -> Float64[np.ndarray, "V T"]:
        """All views of a video; the same ones each time unless the sampler says otherwise."""

    @abstractmethod
    def describe(self) -> str:
        """What testing looks at, as the end of a sentence, for the run's summary."""


class WindowSampler(Sampler):
    """Consecutive frames of a video that is played faster by a stride, as the paper samples.

    In training the stride, the first frame (below the stride) and the window are drawn at random. Where the window does
    not fit the stride is 1; where it still does not fit the last frame is repeated.

    Args:
        num_frames: frames in a view.
        strides: steps between frames to draw from; one that stands here twice is drawn twice as often.
        frame_rate: frames a second that the strides count in; the video's own rate where none is given.
        num_views: views in testing, whose scores are averaged. They are spread evenly from start to end (one view: the
            middle) at the median stride or, where that does not fit, at the widest smaller one that does.
        random_views: draw the views of testing as in training, which is what the paper does.
        moments: of random draws; ``stride``: every frame of the video that the stride meets. ``linspace``: to the
            letter as the paper's released code draws them, which differs in three things. The sped-up video is
            ``linspace(phase, N - 1, round(N / stride))`` of its N frames, rounded down, so that steps between frames
            vary and the last frame is always one of them; a sped-up video of exactly ``num_frames`` frames counts as
            too short; and the very last window is never drawn.

    Source: ``_select_indices`` in ``src/data.py`` of ju-chen/Efficient-Prompt.
    """

    def __init__(
        self,
        num_frames: int = 16,
        strides: tuple[int, ...] = (1, 2, 3, 3, 3, 4),
        frame_rate: float | None = None,
        num_views: int = 1,
        random_views: bool = False,
        moments: Literal["stride", "linspace"] = "stride",
    ) -> None:
        _check_counts(num_frames, num_views)
        if moments == "linspace" and num_views > 1 and not random_views:
            raise InputError("moments 'linspace' are drawn at random, so that several views need random_views.")
        if not strides or min(strides) < 1:
            raise InputError(f"strides must be whole numbers from 1 on, at least one of them, not {strides}")
        if frame_rate is not None and not 0 < frame_rate < math.inf:
            raise InputError(f"frame_rate must be a positive number, not {frame_rate}")
        self.num_frames = num_frames
        self.strides = tuple(strides)
        self.frame_rate = frame_rate
        self.num_views = num_views
        self.random_views = random_views
        self.moments = moments

    def train(self, duration_sec: float, frame_rate: float, rng: np.random.Generator) -> Float64[np.ndarray, "1 T"]:
        """A random window at a random stride."""
        rate = self.frame_rate or frame_rate
        length = _num_frames(duration_sec, rate)
        if self.moments == "linspace":
            return _centres(self._as_released(length, rng)[None], length, rate)
        stride = int(rng.choice(self.strides))
        phase = int(rng.integers(stride))
        choices = (length - phase - 1) // stride + 2 - self.num_frames
        if choices < 1:
            stride, phase, choices = 1, 0, max(length + 1 - self.num_frames, 1)
        start = phase + stride * rng.integers(choices)
        return self._window(np.array([start]), stride, length, rate)

    def test(self, duration_sec: float, frame_rate: float, rng: np.random.Generator) -> Float64[np.ndarray, "V T"]:
        """Windows spread evenly, or random ones."""
        if self.random_views:
            return np.concatenate([self.train(duration_sec, frame_rate, rng) for _ in range(self.num_views)])
        rate = self.frame_rate or frame_rate
        length = _num_frames(duration_sec, rate)
        median = sorted(self.strides)[(len(self.strides) - 1) // 2]
        fitting = [s for s in {1, *self.strides} if s <= median and (self.num_frames - 1) * s < length]
        stride = max(fitting, default=1)
        last = max(length - 1 - (self.num_frames - 1) * stride, 0)
        starts = [last // 2] if self.num_views == 1 else np.linspace(0, last, self.num_views).round()
        return self._window(np.array(starts), stride, length, rate)

    def describe(self) -> str:
        """Views in testing and frames of each, such as ``the middle view of 16 frames``."""
        kind = "random" if self.random_views else "evenly spread"
        views = "the middle view" if self.num_views == 1 and not self.random_views else f"{self.num_views} {kind} views"
        return f"{views} of {self.num_frames} frames"

    def _window(
        self, starts: Int64[np.ndarray, " V"] | Float64[np.ndarray, " V"], stride: int, length: int, rate: float
    ) -> Float64[np.ndarray, "V T"]:
        return _centres(starts[:, None] + stride * np.arange(self.num_frames), length, rate)

    def _as_released(self, length: int, rng: np.random.Generator) -> Int64[np.ndarray, " T"]:
        """Frame numbers, of a video of so many frames; where they go beyond its end the last frame is repeated."""
        if length <= self.num_frames:
            return np.arange(self.num_frames)
        stride = int(rng.choice(self.strides))
        phase = int(rng.integers(stride))
        entries = np.linspace(phase, length - 1, round(length / stride), dtype=np.int64)
        if len(entries) <= self.num_frames:
            entries = np.arange(length)
        start = int(rng.integers(len(entries) - self.num_frames))
        return entries[start : start + self.num_frames]


class SegmentSampler(Sampler):
    """One frame from each of as many equal parts of the whole video, so that its start and its end are both seen.

    In training a random frame of each part; in testing the middle of each part or, with several views, frames spread
    evenly over it.

    Args:
        num_frames: parts, and so frames in a view.
        num_views: views in testing, whose scores are averaged.

    Source: Temporal Segment Networks (Wang et al., 2016).
    """

    def __init__(self, num_frames: int = 16, num_views: int = 1) -> None:
        _check_counts(num_frames, num_views)
        self.num_frames = num_frames
        self.num_views = num_views

    def train(self, duration_sec: float, frame_rate: float, rng: np.random.Generator) -> Float64[np.ndarray, "1 T"]:
        """A random moment in each part."""
        return self._moments(rng.random((1, self.num_frames)), duration_sec, frame_rate)

    def test(self, duration_sec: float, frame_rate: float, rng: np.random.Generator) -> Float64[np.ndarray, "V T"]:
        """The middle of each part, or V moments spread evenly over it."""
        within = (np.arange(self.num_views)[:, None] + 0.5) / self.num_views
        return self._moments(np.repeat(within, self.num_frames, axis=1), duration_sec, frame_rate)

    def describe(self) -> str:
        """Views in testing and frames of each, such as ``one view of 16 frames spread over the whole video``."""
        views = f"{self.num_views} views" if self.num_views > 1 else "one view"
        return f"{views} of {self.num_frames} frames spread over the whole video"

    def _moments(
        self, within: Float64[np.ndarray, "V T"], duration_sec: float, frame_rate: float
    ) -> Float64[np.ndarray, "V T"]:
        """Centres of the frames that hold a place in [0, 1) of each part."""
        length = _num_frames(duration_sec, frame_rate)
        frames = np.floor((np.arange(self.num_frames) + within) * (length / self.num_frames))
        return _centres(frames, length, frame_rate)


def _centres(
    frames: Int64[np.ndarray, "V T"] | Float64[np.ndarray, "V T"], length: int, frame_rate: float
) -> Float64[np.ndarray, "V T"]:
    """Moments of frames by number; what is beyond the end of the video becomes its last frame."""
    moments: Float64[np.ndarray, "V T"] = (np.minimum(frames, length - 1) + 0.5) / frame_rate
    return moments


def _check_counts(num_frames: int, num_views: int) -> None:
    if num_frames < 1 or num_views < 1:
        raise InputError(f"num_frames and num_views must be 1 or more, not {num_frames} and {num_views}")


def _num_frames(duration_sec: float, frame_rate: float) -> int:
    """Frame centres that lie within the video; one at least."""
    return max(round(duration_sec * frame_rate), 1)
