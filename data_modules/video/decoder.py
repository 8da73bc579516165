"""Packets in, numbered frames out: one pass of the decoder, and what it tells of damage on the way."""

from collections.abc import Iterator
from contextlib import suppress

import av

from data_modules.video.demuxing import PacketSource
from data_modules.video.unfinished import UnfinishedPictures, is_blank_there, may_be_unfinished

# Frames before a span can't be dropped in it: they were never there.
_HARMLESS = "mmco: unref short failure"


class InconsistentError(Exception):
    """The decoder did not give what the container promises."""


class Decoder:
    """Decodes spans of packets, one after the other.

    Args:
        source: the packets, and the decoder that they belong to.
    """

    def __init__(self, source: PacketSource) -> None:
        self._source = source
        self.kept: dict[int, av.VideoFrame] = {}  # frames that the caller holds on to
        self.doubted: set[int] = set()  # packets of this pass in which FFmpeg found something wrong, but went on
        self._is_used = self._is_unsure = False
        self._memory = UnfinishedPictures() if source.codec_name == "hevc" else None

    def frames(self, start: int, stop: int, wanted: set[int] | None) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decode from ``start``, a key frame, to ``stop``; what ``wanted``, if given, can do without is skipped.

        Raises:
            InconsistentError: when a packet that can be decoded by itself is not.
        """
        self._start_anew(is_everything=wanted is None and not start)
        may_skip = wanted is not None and self._source.may_skip
        lost, fresh = self._source.packets.lost, self._source.packets.fresh
        for number, packet in self._source.numbered(start, stop):
            if lost is not None and lost[number]:
                continue
            if fresh is not None and fresh[number] and number > start:
                yield from self._rest()
                self._source.codec.flush_buffers()
            codec = self._source.codec
            codec.skip_frame = "NONREF" if may_skip and wanted is not None and number not in wanted else "DEFAULT"
            errors, _ = av.logging.get_last_error()
            try:
                frames = codec.decode(packet)
            except av.FFmpegError as error:
                if self._source.packets.decodable[number]:
                    message = f"frame {number + 1} of {len(self._source.packets)} cannot be decoded"
                    raise InconsistentError(message) from error
                continue
            if _has_complained(errors):
                self.doubted.add(number)
            yield from self._numbered(frames)
        yield from self._rest()
        self._is_unsure = bool(self.doubted)

    def ends_early(self, number: int, frame: av.VideoFrame) -> bool:
        """Whether a part of a picture was not decoded and shows what lay in memory."""
        if self._memory is None or not may_be_unfinished(frame):
            return False
        if is_blank_there(self._source.path, number):
            self._memory = None  # of such a recording zeros say nothing
        return self._memory is not None

    def let_go(self) -> None:
        """What was kept is needed no longer."""
        if self._memory is not None:
            for frame in self.kept.values():
                self._memory.release(frame)
        self.kept = {}

    def _start_anew(self, is_everything: bool) -> None:
        """Forget the pass before; flushing alone leaves tables and settings that damage may have changed."""
        if self._is_used if is_everything else self._is_unsure:
            self._source.renew()
        codec = self._source.codec
        if self._memory is not None:
            with suppress(av.FFmpegError):
                for frame in codec.decode(None):
                    self._memory.release(frame)
        codec.flush_buffers()
        if self._memory is not None:
            self._memory.end()
        self.doubted = set()
        self._is_used = self._is_unsure = True

    def _rest(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frames that the decoder still holds."""
        try:
            frames = self._source.codec.decode(None)
        except av.FFmpegError as error:
            raise InconsistentError("the last frames cannot be decoded") from error
        yield from self._numbered(frames)

    def _numbered(self, frames: list[av.VideoFrame]) -> Iterator[tuple[int, av.VideoFrame]]:
        for frame in frames:
            number = frame.pts
            if number is None:
                raise InconsistentError("the decoder does not say which frame it decoded")
            yield number, frame
            if self._memory is not None and number not in self.kept:
                self._memory.release(frame)


def _has_complained(errors: int) -> bool:
    """Whether FFmpeg found something wrong: also where it fills in what is missing, and goes on.

    Args:
        errors: how often it had complained in this process before.
    """
    errors_now, latest = av.logging.get_last_error()
    is_harmless = errors_now == errors + 1 and latest is not None and _HARMLESS in latest[2]
    return errors_now > errors and not is_harmless
