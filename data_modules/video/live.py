"""Pictures of what is still going on: a camera, a stream of the network, a file, or a file that is still written.

Times of a file are a player's; of all else they are seconds since watching began, and the clock of a source that starts
anew, jumps, or comes back after a gap is set by the time of arrival.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import NamedTuple, TypeAlias

import av
from av.container import InputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import UInt8
from torch import Tensor

from data_modules.errors import InputError
from data_modules.video.limits import MAX_PIXELS
from data_modules.video.pictures import as_tensor, picture_of

OPEN_SEC, SILENT_SEC = 10.0, 10.0  # without an answer, and without a frame: the source is lost
FIRST_WAIT_SEC, LONGEST_WAIT_SEC = 0.5, 2.0  # before it is tried again, doubled each time
POLL_SEC = 0.1  # from one look at a growing file to the next
JUMP_SEC = 5.0  # by which a live clock may differ from that of arrival
HELD_SEC = 4.0  # of pictures that nobody has taken yet; of a live source the oldest are left out then


class LivePicture(NamedTuple):
    """What is on screen at one tick of the clock.

    Args:
        time_sec: the tick.
        picture: RGB, display rotation applied; the same object as before where nothing new came.
        pixel_aspect: width of a pixel to its height.
    """

    time_sec: float
    picture: UInt8[Tensor, "3 H W"]
    pixel_aspect: float


class Lost(NamedTuple):
    """The source is gone; it is tried again.

    Args:
        reason: in words, without secrets of its address.
    """

    reason: str


class Back(NamedTuple):
    """The source is there again.

    Args:
        gap_sec: since it was found to be lost.
    """

    gap_sec: float


Event: TypeAlias = LivePicture | Lost | Back


class LiveSource:
    """A source, read in a thread of its own; iterate over it for what comes, in order.

    Args:
        source: a device such as ``/dev/video0``, an address such as ``rtsp://...`` or ``http://...``, or a file.
        rate: pictures a second to take, on a clock of even ticks.
        follow: of a file: wait for more where it ends, until nothing came for `SILENT_SEC`.
        give_up_sec: how long a source that is lost is tried again.

    Raises:
        InputError: when the source cannot be opened at all, or, while iterating, is lost for too long.
    """

    def __init__(self, source: str, rate: float, *, follow: bool = False, give_up_sec: float = 300.0) -> None:
        self.name, self.rate, self.give_up_sec = without_secrets(source), rate, give_up_sec
        self.skipped = 0  # pictures of a live source that came faster than they were taken
        self._source, self._follow = source, follow
        self.is_live = "://" in source or source.startswith("/dev/")
        if not self.is_live and not Path(source).is_file():
            raise InputError(f"there is no file {self.name} to watch; name a file, a camera or an address.")
        self._held: deque[Event] = deque()
        self._change = Condition()
        self._is_over = self._is_closed = False
        self._failure: BaseException | None = None
        self._growing: _Growing | None = None
        self._began = time.monotonic()
        self._reader = Thread(target=self._read, args=(self._opened(),), name="live source", daemon=True)
        self._reader.start()

    def __enter__(self) -> "LiveSource":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading; what is held is forgotten."""
        with self._change:
            self._is_closed = True
            self._held.clear()
            self._change.notify_all()
        self._reader.join(timeout=OPEN_SEC + SILENT_SEC)

    def __iter__(self) -> Iterator[Event]:
        while True:
            with self._change:
                while not self._held and not self._is_over:
                    self._change.wait(0.5)  # so that a signal is heard
                if not self._held:
                    break
                event = self._held.popleft()
                self._change.notify_all()
            yield event
        if self._failure is not None:
            raise self._failure

    def _read(self, container: InputContainer | None) -> None:
        """All there is, from one connection after another."""
        try:
            last_sec: float | None = None
            while container is not None and not self._is_closed:
                last_sec, reason = self._deliver(container, last_sec)
                if not self.is_live or self._is_closed:
                    break
                self._put(Lost(reason))
                container = self._again(last_sec)
        except BaseException as error:  # carried to whoever iterates
            self._failure = error
        finally:
            if self._growing is not None:
                self._growing.close()
            with self._change:
                self._is_over = True
                self._change.notify_all()

    def _opened(self) -> InputContainer:
        options = {"rtsp_transport": "tcp"} if self._source.startswith("rtsp") else {}
        kind = "v4l2" if self._source.startswith("/dev/video") else None
        try:
            if self._follow and not self.is_live:
                self._growing = _Growing(Path(self._source), lambda: self._is_closed)
            place = self._growing or self._source
            return av.open(place, "r", format=kind, options=options, timeout=(OPEN_SEC, SILENT_SEC))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{self.name} cannot be opened: {_reason(error)}.") from None

    def _again(self, last_sec: float | None) -> InputContainer | None:
        """The next connection."""
        lost, wait = time.monotonic(), FIRST_WAIT_SEC
        while not self._is_closed:
            with suppress(InputError):
                container = self._opened()
                self._put(Back(time.monotonic() - lost))
                return container
            if time.monotonic() - lost + wait > self.give_up_sec:
                raise InputError(f"{self.name} did not come back within {self.give_up_sec:g} s; watching ends.")
            with self._change:
                self._change.wait_for(lambda: self._is_closed, wait)
            wait = min(2 * wait, LONGEST_WAIT_SEC)
        return None

    def _deliver(self, container: InputContainer, last_sec: float | None) -> tuple[float | None, str]:
        """Put what one connection brings; the time of its last frame, and why it ended."""
        reformatter, shown = VideoReformatter(), _Shown()
        offset_sec: float | None = None
        try:
            with container:
                stream = container.streams.best("video")
                if not isinstance(stream, VideoStream):
                    raise InputError(f"{self.name} has no video stream.")
                # One thread: those of a decoder wait for Python's lock to log, and whoever closes it for them.
                stream.thread_type, stream.thread_count = "NONE", 1
                aspect = float(stream.sample_aspect_ratio or 1)
                start_sec = 0.0 if self.is_live else (container.start_time or 0) / av.time_base
                for frame in container.decode(stream):
                    if frame.width * frame.height > MAX_PIXELS:
                        raise InputError(f"{self.name} has frames of {frame.width} x {frame.height} pixels.")
                    own_sec = frame.time if frame.time is not None else (last_sec or 0.0)
                    now_sec = time.monotonic() - self._began
                    if offset_sec is None or (self.is_live and abs(own_sec + offset_sec - now_sec) > JUMP_SEC):
                        not_before = now_sec if last_sec is None else max(now_sec, last_sec + 1 / self.rate)
                        offset_sec = not_before - own_sec if self.is_live else -start_sec
                        shown = _Shown()  # what was on screen before belongs to the other clock
                    last_sec = own_sec + offset_sec
                    for tick in shown.until(last_sec, self.rate):
                        self._put(LivePicture(tick, shown.picture(reformatter), shown.aspect))
                    shown.frame, shown.aspect = frame, aspect
                    if self._is_closed:
                        return last_sec, "closed"
            if last_sec is not None and not self.is_live:
                end_sec = last_sec + float(1 / (stream.average_rate or 25))
                for tick in shown.until(end_sec, self.rate):
                    self._put(LivePicture(tick, shown.picture(reformatter), shown.aspect))
            return last_sec, "it ended"
        except (av.FFmpegError, OSError) as error:
            if not self.is_live and not (self._follow and last_sec is not None):
                raise InputError(f"{self.name} cannot be read on: {_reason(error)}.") from None
            return last_sec, _reason(error)

    def _put(self, event: Event) -> None:
        most = max(2, round(HELD_SEC * self.rate))
        with self._change:
            if not self.is_live:
                self._change.wait_for(lambda: len(self._held) < most or self._is_closed)
            elif isinstance(event, LivePicture):
                places = [place for place, held in enumerate(self._held) if isinstance(held, LivePicture)]
                if len(places) >= most:
                    del self._held[places[0]]
                    self.skipped += 1
            self._held.append(event)
            self._change.notify_all()


class _Growing:
    """A file that is still written: where it ends, more is waited for, for so long as something comes."""

    def __init__(self, path: Path, is_closed: Callable[[], bool]) -> None:
        self.name = str(path)
        self._file, self._is_closed = path.open("rb"), is_closed
        self._is_over = False

    def read(self, size: int) -> bytes:
        """What comes next; nothing once nothing came for `SILENT_SEC`."""
        since = time.monotonic()
        while not (content := self._file.read(size)) and not self._is_over and not self._is_closed():
            self._is_over = time.monotonic() - since >= SILENT_SEC  # FFmpeg asks several times at an end
            time.sleep(POLL_SEC)
        return content

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class _Shown:
    """The frame on screen, and the ticks at which it was."""

    def __init__(self) -> None:
        self.frame: av.VideoFrame | None = None
        self.aspect = 1.0
        self._next_tick: int | None = None
        self._made: tuple[av.VideoFrame, Tensor] | None = None

    def until(self, time_sec: float, rate: float) -> Iterator[float]:
        """Ticks before the next frame comes; the first one is where the first frame came."""
        if self.frame is None or self._next_tick is None:
            self._next_tick = -int(-time_sec * rate // 1)
            return
        while self._next_tick / rate < time_sec:
            self._next_tick += 1
            yield (self._next_tick - 1) / rate

    def picture(self, reformatter: VideoReformatter) -> Tensor:
        """Of the frame on screen, made once."""
        assert self.frame is not None
        if self._made is None or self._made[0] is not self.frame:
            picture, on_its_side = picture_of(self.frame, reformatter)
            self.aspect = 1 / self.aspect if on_its_side else self.aspect
            self._made = self.frame, as_tensor(picture)
        return self._made[1]


def without_secrets(source: str) -> str:
    """An address without user and password."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", source)


def _reason(error: BaseException) -> str:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return "no answer in time" if isinstance(error, av.ExitError | TimeoutError) else without_secrets(str(words))
