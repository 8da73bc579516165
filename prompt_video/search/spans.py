"""How a video is cut into overlapping spans, and which of its frames stand for one: pure, in seconds."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from data_modules.batch import Span
from data_modules.errors import InputError
from data_modules.loading.frames import MOST_A_SECOND

LEAST_STRIDE = 0.001  # seconds


@dataclass(frozen=True)
class Cutting:
    """What becomes one vector of the index.

    Args:
        span_sec: length of a span.
        stride_sec: from the start of one span to that of the next.
        num_frames: of a span, evenly spread.
        frame_rate: frames a second to choose them from.
    """

    span_sec: float
    stride_sec: float
    num_frames: int
    frame_rate: float

    def __post_init__(self) -> None:
        if not 0 < self.span_sec < math.inf:
            raise InputError(f"--span must be a number of seconds greater than 0, not {self.span_sec:g}.")
        if not LEAST_STRIDE <= self.stride_sec <= self.span_sec:
            raise InputError(
                f"--stride must be {LEAST_STRIDE:g} s or more and at most the span of {self.span_sec:g} s, so that "
                f"nothing of a video is left out, not {self.stride_sec:g}."
            )
        if self.num_frames < 1 or not 0 < self.frame_rate <= MOST_A_SECOND:
            raise InputError(
                "an index needs one frame a span or more, and a frame rate greater than 0 and up to "
                f"{MOST_A_SECOND:g}, not {self.num_frames} and {self.frame_rate:g}."
            )

    def spans(self, duration_sec: float, start_sec: float = 0.0) -> list[Span]:
        """The spans of a video: the last ends where it ends, and a video no longer than a span is one.

        Args:
            duration_sec: where it ends.
            start_sec: where its first frame comes on screen; before it there is nothing to find.
        """
        last = duration_sec - self.span_sec
        if last <= start_sec:
            return [(start_sec, duration_sec)]
        # Rounding must not add a span that starts where the last one does.
        count = math.ceil((last - start_sec) / self.stride_sec - 1e-9)
        starts = [start_sec + number * self.stride_sec for number in range(count)] + [last]
        return [(start, self.end_sec(start, duration_sec)) for start in starts]

    def end_sec(self, start_sec: float, duration_sec: float) -> float:
        """Where the span ends that starts there."""
        return min(start_sec + self.span_sec, duration_sec)

    def rows(
        self, times_sec: Float64[np.ndarray, " N"], duration_sec: float, start_sec: float = 0.0
    ) -> Int64[np.ndarray, "S T"]:
        """For each span of a video, the frames nearest to the middles of equal parts of it.

        Args:
            times_sec: when the frames are on screen, ascending.
            duration_sec: where the video ends.
            start_sec: where its first frame comes on screen.
        """
        spans = np.array(self.spans(duration_sec, start_sec))
        within = (np.arange(self.num_frames) + 0.5) / self.num_frames
        moments = spans[:, :1] + (spans[:, 1:] - spans[:, :1]) * within
        after = np.searchsorted(times_sec, moments).clip(max=len(times_sec) - 1)
        before = (after - 1).clip(min=0)
        is_nearer = moments - times_sec[before] < times_sec[after] - moments
        rows: Int64[np.ndarray, "S T"] = np.where(is_nearer, before, after)
        return rows

    @property
    def most_overlapping(self) -> int:
        """So many other spans of a video overlap with one of them, at most."""
        return 2 * math.ceil(self.span_sec / self.stride_sec)
