"""When each frame of a video is on screen, and which packets must be decoded to see it. Pure; nothing is decoded here.

A *packet* is one compressed frame; packets are numbered in decoding order, frames in display order. With B-frames
the two orders differ.

Times are a player's: zero is the start of the file, whichever stream begins there. Where sound comes first, the first
frame comes on screen later than that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64

# Asking for a frame by its own time must give that frame, although times are rounded.
TOLERANCE_SEC = 1e-6
NO_STAMP = np.iinfo(np.int64).min
_ROUNDING_SEC = 1e-5  # FFmpeg gives the start of a file in microseconds


@dataclass(frozen=True)
class Timeline:
    """Times of every frame that can be displayed.

    Args:
        times_sec: when each frame comes on screen, seconds from the start of the file, ascending.
        duration_sec: when the last frame leaves the screen.
        start_sec: when the first frame comes on screen: there is a picture from then on.
    """

    times_sec: Float64[np.ndarray, " N"]
    duration_sec: float
    start_sec: float = 0.0

    @property
    def num_frames(self) -> int:
        """Number of frames that can be displayed, whatever the file's header says."""
        return len(self.times_sec)

    @property
    def frame_rate(self) -> float:
        """Frames per second, averaged over the time in which there is a picture."""
        return self.num_frames / (self.duration_sec - self.start_sec)

    def ticks(self, frame_rate: float | None) -> "Timeline":
        """Moments at an even rate, each in the middle of its tick; the frames themselves where no rate is given."""
        if frame_rate is None:
            return self
        count = max(1, round((self.duration_sec - self.start_sec) * frame_rate))
        times_sec = self.start_sec + (np.arange(count) + 0.5) / frame_rate
        return Timeline(times_sec, self.duration_sec, self.start_sec)

    def on_screen(self, moments_sec: Sequence[float] | Float64[np.ndarray, " T"]) -> Int64[np.ndarray, " T"]:
        """The frame on screen at each moment: before the first the first, after the last the last."""
        moments = np.asarray(moments_sec, dtype=np.float64) + TOLERANCE_SEC
        return np.clip(np.searchsorted(self.times_sec, moments, side="right") - 1, 0, self.num_frames - 1)


def tick_starts(times_sec: Float64[np.ndarray, " N"], frame_rate: float | None) -> Float64[np.ndarray, " N"]:
    """When what each moment of `Timeline.ticks` stands for begins; of the first, when the picture does."""
    return times_sec if frame_rate is None else np.maximum(times_sec - 0.5 / frame_rate, 0.0)


@dataclass(frozen=True)
class Packets:
    """What the container says about each packet, in decoding order; stamps in ticks, `NO_STAMP` where missing.

    Args:
        pts: when the frame comes on screen.
        dts: when the packet is to be decoded.
        duration: how long the frame stays on screen; 0 where the container does not say.
        is_key: decoding can start here.
        displayed: False where a frame is only decoded: before the start of an edit list, or as others refer to it.
        tick_sec: one tick in seconds.
        stamped: False where the container stores no display times (AVI): ``pts`` is then only a guess.
        bidirectional: which packets are stored after a frame that is shown later; None: only their ``pts`` can tell.
        start_sec: the start of the file on the clock of the stamps; None: where the first frame is.
        lost: what is incomplete, or cannot be decoded without what is; None: nothing.
        fresh: key frames at which the decoder starts anew, since a break precedes them; None: none.
    """

    pts: Int64[np.ndarray, " P"]
    dts: Int64[np.ndarray, " P"]
    duration: Int64[np.ndarray, " P"]
    is_key: Bool[np.ndarray, " P"]
    displayed: Bool[np.ndarray, " P"]
    tick_sec: float
    stamped: bool
    bidirectional: Bool[np.ndarray, " P"] | None = None
    start_sec: float | None = None
    lost: Bool[np.ndarray, " P"] | None = None
    fresh: Bool[np.ndarray, " P"] | None = None

    def __len__(self) -> int:
        return len(self.pts)

    @cached_property
    def decodable(self) -> Bool[np.ndarray, " P"]:
        """All packets but what a cut or a loss leaves undecodable.

        Of a cut, those before the first key frame, and frames shown before it.
        Where one of them cannot be decoded, the video is damaged.
        """
        first_key = int(self.is_key.argmax())  # 0 if there is none
        decodable = np.arange(len(self)) >= first_key
        if self.stamped and self.pts[first_key] != NO_STAMP:
            decodable &= (self.pts >= self.pts[first_key]) | (self.pts == NO_STAMP)
        return decodable if self.lost is None else decodable & ~self.lost

    @property
    def is_reordered(self) -> bool:
        """Whether the stamps tell of frames that are shown before what is stored before them."""
        return bool((self.pts[1:] < self.pts[:-1]).any())

    def display(self) -> "Display | None":
        """Display order as the container tells it; None where it cannot be trusted and decoding must tell.

        Not trusted are: missing or repeated stamps; a start that is no key frame, or has frames before it (left over
        from a cut); B-frames where no display times are stored, or where these do not show them.
        """
        if not self.is_key.any() or not self.is_key[0]:
            return None
        displayed = np.flatnonzero(self.displayed if self.lost is None else self.displayed & ~self.lost)
        if self.stamped:
            if not self.is_reordered and (self.bidirectional is None or self.bidirectional.any()):
                return None
            if self.displayed[0] and (self.pts[displayed] < self.pts[0]).any():
                return None
            order = displayed[np.argsort(self.pts[displayed], kind="stable")]
            stamps = self.pts[order]
        elif self.bidirectional is not None and self.displayed.all():
            order, stamps = _after_reordering(self.bidirectional), np.sort(self.dts)
        else:
            return None
        if not len(order) or (stamps == NO_STAMP).any() or (stamps[1:] <= stamps[:-1]).any():
            return None
        return self._timed(order, stamps)

    def display_of_output(self, output: Sequence[int], frame_rate: float) -> "Display":
        """Display order as the decoder tells it.

        Args:
            output: packets in the order in which their frames left the decoder; at least one.
            frame_rate: for a video that has no stamps at all.
        """
        order = np.array(output, dtype=np.int64)
        stamps = self.pts[order] if self.stamped else np.sort(self.dts[order])
        if (stamps == NO_STAMP).any():
            num = len(order)
            return Display(order, Timeline(np.arange(num) / frame_rate, num / frame_rate))
        if self.is_reordered:
            # The container stores a display order of its own: it outranks the order of output.
            order = order[np.argsort(stamps, kind="stable")]
        return self._timed(order, np.sort(stamps))

    def _timed(self, order: Int64[np.ndarray, " N"], stamps: Int64[np.ndarray, " N"]) -> "Display":
        first_sec = float(stamps[0]) * self.tick_sec
        start_sec = 0.0 if self.start_sec is None else max(first_sec - self.start_sec, 0.0)
        start_sec *= start_sec > _ROUNDING_SEC
        times_sec = start_sec + (stamps - stamps[0]) * self.tick_sec
        # A live recording gives no duration and FLV a false one; a last frame shorter than usual matters to nobody.
        usual_sec = float(np.median(np.diff(times_sec))) if len(times_sec) > 1 else 0.0
        last_sec = max(float(self.duration[order[-1]]) * self.tick_sec, usual_sec) or 1.0
        end_sec = float(times_sec[-1]) + last_sec
        if self.lost is not None and self.stamped and self.lost.any():
            # What is lost at the end took its time, too.
            latest_sec = float(self.pts[self.lost].max() - stamps[0]) * self.tick_sec + start_sec
            end_sec = max(end_sec, latest_sec + usual_sec)
        return Display(order, Timeline(times_sec, end_sec, start_sec))


@dataclass(frozen=True)
class Display:
    """The packet of every displayed frame, in display order, and the times."""

    order: Int64[np.ndarray, " N"]
    timeline: Timeline

    def ranks(self, num_packets: int) -> Int64[np.ndarray, " P"]:
        """Place of each packet's frame in display order; -1 where it is not displayed."""
        ranks = np.full(num_packets, -1)
        ranks[self.order] = np.arange(len(self.order))
        return ranks


@dataclass(frozen=True)
class Span:
    """Packets ``start`` to ``stop``, both included, decoded in one go from a key frame."""

    start: int
    stop: int


def spans(is_key: Bool[np.ndarray, " P"], ranks: Int64[np.ndarray, " P"], wanted: Iterable[int]) -> list[Span]:
    """What must be decoded to see the wanted packets: each from its key frame on, nothing twice.

    A frame shown before a key frame but stored after it (open GOP) may need what precedes the key frame, so it is
    reached from an earlier one. A span ends at the last wanted packet: all that it refers to is stored before it.

    Args:
        is_key: as in `Packets`.
        ranks: of `Display.ranks`; a key frame that is not displayed cannot be verified and is no start, but for the
            very first packet.
        wanted: packets, each displayed.
    """
    keys = np.flatnonzero(is_key & (ranks >= 0))
    merged: list[Span] = []
    for packet in sorted(set(wanted)):
        before = keys[: np.searchsorted(keys, packet, side="right")]
        before = before[ranks[before] <= ranks[packet]]
        start = int(before[-1]) if len(before) else 0
        while merged and start <= merged[-1].stop:
            start = min(start, merged.pop().start)
        merged.append(Span(start, packet))
    return merged


def _after_reordering(bidirectional: Bool[np.ndarray, " P"]) -> Int64[np.ndarray, " P"]:
    """Display order of MPEG-4 part 2: a B-frame at once, any other frame when the next other frame arrives."""
    order: list[int] = []
    held: list[int] = []
    for packet, is_bidirectional in enumerate(bidirectional):
        if is_bidirectional:
            order.append(packet)
        else:
            order += held
            held = [packet]
    return np.array(order + held, dtype=np.int64)
