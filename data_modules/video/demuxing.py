"""The packets of a video file, numbered, with what the container says about them. Nothing is decoded here.

Which stream: FFmpeg's best one, by its flags and then by how much there is of it; a cover picture is none.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from jaxtyping import Bool, Int64

from data_modules.errors import BrokenVideoError
from data_modules.files.regular_files import why_not_a_file
from data_modules.video.bitstream import (
    holds_more_than_is_read,
    jpeg_parts,
    missing_bytes,
    mpeg4_frame_kind,
    nal_length_size,
    nal_units_fit,
    shows_a_frame,
)
from data_modules.video.clock import losses, one_clock, starts_of_parts
from data_modules.video.frame_numbers import first_slice, numbers_run_on
from data_modules.video.limits import MAX_PACKETS, MAX_PIXELS, MAX_STRETCH
from data_modules.video.timeline import NO_STAMP, Packets

if TYPE_CHECKING:
    from av.video.stream import VideoStream

    Packet = av.Packet[VideoStream]  # generic in its stub only
else:
    Packet = av.Packet

# Codecs with one displayed frame a packet, whatever the container. Others are decoded once to find the timeline.
_ONE_FRAME_A_PACKET = {"h264", "hevc", "av1", "vp9", "mpeg4", "msmpeg4v3", "h263", "mjpeg"}
# Their decoders say what is damaged, or fill it in always the same. What others give is held against a first decoding.
_SAY_WHAT_IS_DAMAGED = _ONE_FRAME_A_PACKET | {"vp8", "flv1"}
# What others only complain of is damage in these: nothing in them is left to be filled in.
_COMPLAIN_OF_DAMAGE = {"ffv1"}
# Codecs in which no frame refers to one marked "no reference". (In HEVC one of a higher temporal layer may.)
_SKIPPABLE = {"h264", "mpeg4"}
# Of these the packets say which of them are shown.
_SAYS_WHAT_IS_SHOWN = {"vp8", "vp9", "av1"}
# FFmpeg's own decoder leaves parts of damaged frames as they lie in memory, and does not say so.
_DECODERS = {"vp8": "libvpx"}
_OPTIONS = {"mjpeg": {"err_detect": "explode"}, "hevc": {"err_detect": "explode"}}  # so that they do
_FORMATS_WITHOUT_DISPLAY_TIMES = {"avi"}
_FORMATS_WITH_A_TABLE_OF_TIMES = {"mov,mp4,m4a,3gp,3g2,mj2"}  # one clock, always
_BROADCAST_FORMATS = {"mpegts"}  # made for lossy channels: what is lost there is not the whole recording
_MAX_TICKS = 2.0**60
_PLAYLISTS = {"hls", "dash", "concat", "imf", "sdp", "rtsp"}
_NO_VIDEO = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
# Up to here a file's packets stay in memory; those of a larger one are read again for each call.
_KEPT_BYTES, _KEPT_PACKETS = 64 << 20, 100_000


class PacketSource:
    """An open file as a numbered sequence of packets, each carrying its number as time stamp."""

    def __init__(self, path: Path) -> None:
        self.path = path
        av.logging.set_level(av.logging.PANIC)  # what goes wrong is said by BrokenVideoError
        if reason := why_not_a_file(path):
            raise BrokenVideoError(path, f"cannot be opened: {reason}")
        try:
            if missing := missing_bytes(path):
                raise BrokenVideoError(path, f"truncated: {missing} bytes are missing at its end")
            if holds_more_than_is_read(path):
                raise BrokenVideoError(path, "recordings were put one behind the other; players show the first alone")
        except OSError as error:
            raise BrokenVideoError(path, f"cannot be opened: {error.strerror}") from error
        self._open()
        self._kept: list[Packet] = []
        self.may_skip, self.is_complete = self.codec_name in _SKIPPABLE, True
        try:
            self.packets, self.is_sound = self._read_all()
        except BrokenVideoError:
            self.close()
            raise

    def _open(self) -> None:
        try:
            # The prefix: without it a colon in the name would make it a network address.
            name, options = f"file:{self.path}", {"protocol_whitelist": "file"}
            self.container = av.open(name, metadata_errors="replace", options=options)
        except (OSError, av.FFmpegError) as error:
            raise BrokenVideoError(self.path, f"cannot be opened: {error.strerror}") from error
        try:
            self._choose()
        except BrokenVideoError:
            self.container.close()
            raise

    def renew(self) -> None:
        """Take another decoder, which remembers nothing: what damage has it fill in is then always the same."""
        self.container.close()
        self._open()

    def _choose(self) -> None:
        """The stream and its decoder."""
        if self.container.format.name in _PLAYLISTS:
            raise BrokenVideoError(self.path, "names other files and holds no video itself; name one of those")
        streams = [stream for stream in self.container.streams.video if not stream.disposition & _NO_VIDEO]
        if not streams:
            raise BrokenVideoError(self.path, "no video stream")
        best = self.container.streams.best("video")
        self.stream = best if best in streams else streams[0]
        self.codec = self.stream.codec_context
        if self.codec is None:
            raise BrokenVideoError(self.path, "no decoder for its video stream")
        self.pixel_aspect = float(self.stream.sample_aspect_ratio or 1)
        self.check_size(self.codec.width, self.codec.height)
        self.codec_name = self.codec.codec.canonical_name
        if self.codec_name in _DECODERS:
            codec = av.CodecContext.create(_DECODERS[self.codec_name], "r")
            assert isinstance(codec, av.VideoCodecContext)
            self.codec = codec
        self.codec.options = {"max_pixels": str(MAX_PIXELS), **_OPTIONS.get(self.codec_name, {})}
        self.codec.thread_count = 1  # the loader's workers fill the cores
        self.is_one_frame_a_packet = self.codec_name in _ONE_FRAME_A_PACKET
        self.is_well_known = self.codec_name in _SAY_WHAT_IS_DAMAGED
        self.complains_of_damage = self.codec_name in _COMPLAIN_OF_DAMAGE

    def check_size(self, width: int, height: int) -> None:
        """Refuse pictures that ask for more memory than a video needs."""
        if width * height > MAX_PIXELS:
            raise BrokenVideoError(self.path, f"a frame has {width} x {height} pixels; up to {MAX_PIXELS:,} are taken")
        shape = width * self.pixel_aspect / height if height else 1.0
        if width and not 1 / MAX_STRETCH <= shape <= MAX_STRETCH:
            raise BrokenVideoError(self.path, f"its picture is {shape:.3g} times as wide as high")

    def _demux(self) -> Iterator[Packet]:
        """Every packet that holds data; MPEG-4 frames packed two in a packet come apart."""
        return self._unpacked(self._packets_of_file()) if self.codec_name == "mpeg4" else self._packets_of_file()

    def _unpacked(self, packets: Iterator[Packet]) -> Iterator[Packet]:
        unpack = BitStreamFilterContext("mpeg4_unpack_bframes", self.stream)
        for packet in packets:
            yield from unpack.filter(packet)
        yield from unpack.filter(None)

    def _packets_of_file(self) -> Iterator[Packet]:
        """Those of the stream; other streams may begin midway, which PyAV does not know: they are passed over."""
        is_replaced = False
        while True:
            try:
                for packet in self.container.demux(self.stream):
                    if packet.size:
                        is_replaced = False
                        yield packet
                    elif is_replaced:
                        raise BrokenVideoError(self.path, "goes on in another stream midway; cut it there")
                return
            except IndexError:
                is_replaced = True

    def _read_all(self) -> tuple[Packets, bool]:
        """The table of packets, and whether it can be trusted; packets are kept if they are not too large."""
        rows: list[tuple[int, int, int, bool, bool, bool]] = []
        slices: list[bytes | None] = []
        self._places: list[tuple[int | None, int]] = []  # of each packet in the file, and its bytes
        kinds: list[Literal["I", "P", "B", "S", "none"]] = []
        parts = set[frozenset[tuple[int, int]]]()
        name, may_hide = self.codec_name, self.codec_name in _SAYS_WHAT_IS_SHOWN
        is_broadcast = self.container.format.name in _BROADCAST_FORMATS
        size, is_sound = 0, self.is_one_frame_a_packet and self.codec.pix_fmt is not None
        length_size = nal_length_size(self.codec_name, self.codec.extradata)
        try:
            for number, packet in enumerate(self._demux()):
                if number == MAX_PACKETS:
                    raise BrokenVideoError(self.path, f"more than {MAX_PACKETS:,} frames; cut it into parts")
                is_damaged = packet.is_corrupt
                if is_damaged and not is_broadcast:
                    raise BrokenVideoError(self.path, f"truncated or damaged: frame {number + 1} is incomplete")
                pts, dts = (NO_STAMP if stamp is None else stamp for stamp in (packet.pts, packet.dts))
                content = memoryview(packet)
                is_shown = not packet.is_discard and not (may_hide and not shows_a_frame(name, content))
                self._places.append((packet.pos, packet.size))
                rows.append((pts, dts, packet.duration or 0, packet.is_keyframe, is_shown, is_damaged))
                if name == "h264":
                    slices.append(first_slice(content, length_size))
                if length_size:
                    is_sound &= nal_units_fit(content, length_size)
                elif name == "mjpeg":
                    parts.add(jpeg_parts(content))
                elif name == "mpeg4":
                    kinds.append(mpeg4_frame_kind(bytes(content)))
                size += packet.size
                if size <= _KEPT_BYTES and number < _KEPT_PACKETS:
                    self._kept.append(_numbered(packet, number))
        except av.FFmpegError as error:
            raise BrokenVideoError(
                self.path, f"truncated or damaged: cannot be read after frame {len(rows)}"
            ) from error
        if not rows:
            raise BrokenVideoError(self.path, "no frames")
        if len(self._kept) < len(rows):
            self._kept = []
        bidirectional = None if self.codec.has_b_frames else np.zeros(len(rows), dtype=np.bool_)
        if kinds:
            bidirectional = np.array([kind == "B" for kind in kinds])
            is_sound &= "none" not in kinds
        self.is_complete = len(parts) <= 1
        if name == "h264":
            # For missing frames FFmpeg fills in what it decoded before, so that it matters where decoding began.
            has_times = self.container.format.name not in _FORMATS_WITHOUT_DISPLAY_TIMES
            times = [row[0] if has_times and row[0] != NO_STAMP else None for row in rows]
            runs_on = numbers_run_on(self.codec.extradata, length_size, slices, times)
            # Nor is it known what damage in a broadcast has made of the mark that nothing refers to a frame.
            self.may_skip, self.is_complete = runs_on is True and not is_broadcast, runs_on is not False
        stamps = np.array([row[:3] for row in rows], dtype=np.int64)
        flags = np.array([row[3:] for row in rows], dtype=np.bool_)
        return self._tabulated(stamps, flags, bidirectional), is_sound

    def _tabulated(
        self,
        stamps: Int64[np.ndarray, "P 3"],
        flags: Bool[np.ndarray, "P 3"],
        bidirectional: Bool[np.ndarray, " P"] | None,
    ) -> Packets:
        """The table: pts, dts and duration; is key, is shown and is damaged; on one clock, without what breaks cost."""
        (pts, dts, duration), (is_key, displayed, damaged) = stamps.T, flags.T
        self._stamps = stamps[:, :2]  # as the file has them
        format_name, tick_sec = self.container.format.name, float(self.stream.time_base or Fraction(1, 25))
        if (np.abs(stamps[stamps != NO_STAMP].astype(np.float64)) > _MAX_TICKS).any():
            raise BrokenVideoError(self.path, "its time stamps are out of all range")
        starts: list[int] = []
        if format_name not in _FORMATS_WITH_A_TABLE_OF_TIMES:
            starts = starts_of_parts(pts, dts, is_key, tick_sec, format_name in _BROADCAST_FORMATS)
            if starts:
                pts, dts = one_clock(pts, dts, duration, starts)
        # A parser hands the flag on with the frame before: either may be the damaged one.
        self._damaged = damaged | np.append(False, damaged[:-1])
        tails = [range(max(start - 2, 0), start) for start in starts]
        self.doubtful = [tail for tail in tails if self._damaged[tail.start : tail.stop].any()]
        self._starts = starts
        for tail in self.doubtful:
            self._damaged[tail.start : tail.stop] = False
        start_sec = self.container.start_time
        packets = Packets(
            pts=pts,
            dts=dts,
            duration=duration,
            is_key=is_key,
            displayed=displayed if displayed.any() else np.ones_like(displayed),
            tick_sec=tick_sec,
            stamped=format_name not in _FORMATS_WITHOUT_DISPLAY_TIMES,
            bidirectional=bidirectional,
            start_sec=None if start_sec is None else start_sec / 1e6,
        )
        return self._without_losses(packets)

    def lose(self, places: range) -> None:
        """Count packets as damaged."""
        self._damaged[places.start : places.stop] = True
        self.packets = self._without_losses(self.packets)

    def _without_losses(self, packets: Packets) -> Packets:
        if not self._starts and not self._damaged.any():
            return packets
        lost, fresh = losses(packets.pts, packets.is_key, self._starts, self._damaged)
        return dataclasses.replace(packets, lost=lost, fresh=fresh)

    def numbered(self, start: int, stop: int) -> Iterator[tuple[int, Packet]]:
        """Packets ``start`` to ``stop``, both included."""
        if len(self._kept) == len(self.packets):
            yield from enumerate(self._kept[start : stop + 1], start)
            return
        for number, packet in self._reread(start):
            if number > stop:
                return
            if number >= start:
                yield number, _numbered(packet, number)

    def _reread(self, start: int) -> Iterator[tuple[int, Packet]]:
        """From the file, beginning at ``start`` or before."""
        read = 0
        for number, packet in self._from_the_middle(start):
            if number >= len(self._places) or not self._is(packet, number):
                break
            yield number, packet
            read = number + 1
        if read < len(self._places):
            self.container.close()
            self._open()
            try:
                yield from ((number, packet) for number, packet in enumerate(self._demux()) if number >= read)
            except av.FFmpegError as error:
                raise BrokenVideoError(self.path, "cannot be read again as it was at first") from error

    def _is(self, packet: Packet, number: int) -> bool:
        """Where a damaged index leads elsewhere, packets have the right stamps and are others."""
        place, size = self._places[number]
        return packet.size == size and (packet.pos is None or place is None or packet.pos == place)

    def _from_the_middle(self, start: int) -> Iterator[tuple[int, Packet]]:
        """From the key frame that the container finds before ``start``; nothing where that is not to be trusted."""
        if not start or self.codec_name == "mpeg4" or self._stamps[start, 1] == NO_STAMP:
            return
        with suppress(av.FFmpegError, BrokenVideoError):  # what seeking met; all can be read from the start
            self.container.seek(int(self._stamps[start, 1]), stream=self.stream)
            packets = self._demux()
            first = next(packets, None)
            if first is not None and first.pts is not None and first.dts is not None:
                places = np.flatnonzero((self._stamps == (first.pts, first.dts)).all(1))
                if len(places) == 1 and places[0] <= start:
                    yield from enumerate(chain([first], packets), int(places[0]))

    def close(self) -> None:
        """Close the file."""
        self._kept = []
        self.container.close()


def _numbered(packet: Packet, number: int) -> Packet:
    """With its number as time stamp. One hidden by an edit list gives a frame, too, so that damage in it is seen."""
    if packet.is_discard:
        visible: Packet = Packet(bytes(packet))  # type: ignore[assignment]  # without its stream, which nobody asks for
        visible.is_keyframe = packet.is_keyframe
        packet = visible
    packet.pts = packet.dts = number
    return packet
