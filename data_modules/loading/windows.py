"""How an untrimmed video is cut into windows of evenly spaced frames: pure, in seconds, seeded from outside.

Windows overlap, so that an action which one of them cuts is whole in another. Of all windows that see a moment the one
whose middle is nearest answers for it: together they speak once of everything.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from data_modules.batch import Span
from data_modules.errors import InputError


@dataclass(frozen=True)
class Window:
    """Some evenly spaced frames of a video.

    Args:
        origin_sec: where the first frame begins, seconds from the start of the file.
        frame_sec: from one frame to the next.
        num_frames: frames in it.
        own_sec: the moments that it answers for, from and up to; infinite at the ends of the video.
    """

    origin_sec: float
    frame_sec: float
    num_frames: int
    own_sec: Span

    @property
    def moments_sec(self) -> Float64[np.ndarray, " T"]:
        """The middle of every frame."""
        return self.origin_sec + (np.arange(self.num_frames) + 0.5) * self.frame_sec

    @property
    def end_sec(self) -> float:
        """Where the last frame ends."""
        return self.origin_sec + self.num_frames * self.frame_sec


class Windows(ABC):
    """How a video is cut.

    Each argument of its constructor is an attribute of the same name, see `data_modules.loading.settings`.

    Args:
        num_frames: of a window, at most.
    """

    def __init__(self, num_frames: int) -> None:
        if num_frames < 2:
            raise InputError(f"data.windows: num_frames must be 2 or more, not {num_frames}")
        self.num_frames = num_frames

    @abstractmethod
    def cover(self, duration_sec: float, frame_rate: float, start_sec: float = 0.0) -> list[Window]:
        """Windows that see all of a video and together answer for each moment once, in their order.

        Args:
            duration_sec: where the video ends.
            frame_rate: of its features.
            start_sec: where its first frame comes on screen.
        """

    @abstractmethod
    def draw(
        self, duration_sec: float, frame_rate: float, near: Window, rng: np.random.Generator, start_sec: float = 0.0
    ) -> Window:
        """A window for training, near one of `cover`; the other arguments are as there."""

    @abstractmethod
    def describe(self) -> str:
        """How videos are seen, as the end of a sentence, for the run's summary."""


class SlidingWindows(Windows):
    """Windows at the frame rate of the features, one overlapping the next.

    Args:
        num_frames: of a window; 256 at 10 frames a second is what the paper takes for THUMOS14.
        overlap: share of a window that the next one sees too.

    Source: AFSD (Lin et al., CVPR 2021), whose windows the paper took over.
    """

    def __init__(self, num_frames: int = 256, overlap: float = 0.5) -> None:
        super().__init__(num_frames)
        if not 0 <= overlap < 1:
            raise InputError(f"data.windows: overlap must be 0 or more and less than 1, not {overlap}")
        self.overlap = overlap

    def cover(self, duration_sec: float, frame_rate: float, start_sec: float = 0.0) -> list[Window]:
        """Evenly spread, from the start of the video to its end."""
        length = _num_frames(duration_sec - start_sec, frame_rate)
        last = length - self.num_frames
        if last <= 0:
            return [Window(start_sec, 1 / frame_rate, length, (-math.inf, math.inf))]
        starts = np.linspace(0, last, math.ceil(last / self._stride) + 1).round().astype(int).tolist()
        middles = [start_sec + (start + self.num_frames / 2) / frame_rate for start in starts]
        between = [(one + other) / 2 for one, other in pairwise(middles)]
        bounds = [-math.inf, *between, math.inf]
        return [
            Window(
                start_sec + start / frame_rate, 1 / frame_rate, self.num_frames, (bounds[number], bounds[number + 1])
            )
            for number, start in enumerate(starts)
        ]

    def draw(
        self, duration_sec: float, frame_rate: float, near: Window, rng: np.random.Generator, start_sec: float = 0.0
    ) -> Window:
        """Moved by up to half a stride to either side."""
        last = _num_frames(duration_sec - start_sec, frame_rate) - near.num_frames
        move = int(rng.integers(-(self._stride // 2), self._stride // 2 + 1))
        start = min(max(round((near.origin_sec - start_sec) * frame_rate) + move, 0), last)
        return Window(start_sec + start / frame_rate, near.frame_sec, near.num_frames, near.own_sec)

    def describe(self) -> str:
        """How long windows are and how much they overlap."""
        return f"windows of {self.num_frames} frames, {self.overlap:.0%} overlapping"

    @property
    def _stride(self) -> int:
        return max(1, round(self.num_frames * (1 - self.overlap)))


class WholeVideo(Windows):
    """One window over the whole of a video, however long it is: so many frames, evenly spread.

    Args:
        num_frames: of every video; 768 is what the paper takes for ActivityNet.

    Source: AFSD (Lin et al., CVPR 2021), which brings all videos of ActivityNet to 768 frames.
    """

    def __init__(self, num_frames: int = 768) -> None:
        super().__init__(num_frames)

    def cover(self, duration_sec: float, frame_rate: float, start_sec: float = 0.0) -> list[Window]:
        """One window."""
        frame_sec = (duration_sec - start_sec) / self.num_frames
        return [Window(start_sec, frame_sec, self.num_frames, (-math.inf, math.inf))]

    def draw(
        self, duration_sec: float, frame_rate: float, near: Window, rng: np.random.Generator, start_sec: float = 0.0
    ) -> Window:
        """That of `cover`: there is no other."""
        return near

    def describe(self) -> str:
        """How many frames stand for a video."""
        return f"{self.num_frames} frames spread over each video"


def _num_frames(duration_sec: float, frame_rate: float) -> int:
    return max(1, round(duration_sec * frame_rate))
