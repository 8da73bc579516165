"""The packets of a video file, numbered, with what the container says about them. Nothing is decoded here."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from data_modules.bitstream import missing_bytes, mpeg4_frame_kind, nal_length_size, nal_units_fit
from data_modules.errors import BrokenVideoError
from data_modules.regular_files import why_not_a_file
from data_modules.timeline import NO_STAMP, Packets

if TYPE_CHECKING:
    from av.video.stream import VideoStream

    Packet = av.Packet[VideoStream]  # generic in its stub only
else:
    Packet = av.Packet

av.logging.set_level(av.logging.PANIC)  # what goes wrong is said by BrokenVideoError

# Codecs with one displayed frame a packet, whatever the container. Others are decoded once to find the timeline.
_ONE_FRAME_A_PACKET = {"h264", "hevc", "av1", "vp9", "mpeg4", "msmpeg4v3", "h263", "mjpeg"}
_FORMATS_WITHOUT_DISPLAY_TIMES = {"avi"}
# Up to here a file's packets stay in memory; those of a larger one are read again for each call.
_KEPT_BYTES = 64 << 20


class PacketSource:
    """An open file as a numbered sequence of packets, each carrying its number as time stamp."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if reason := why_not_a_file(path):
            raise BrokenVideoError(path, f"cannot be opened: {reason}")
        try:
            if missing := missing_bytes(path):
                raise BrokenVideoError(path, f"truncated: {missing} bytes are missing at its end")
            self._open()
        except (OSError, av.FFmpegError) as error:
            raise BrokenVideoError(path, f"cannot be opened: {error.strerror}") from error
        self._kept: list[Packet] = []
        self.packets, self.is_sound = self._read_all()

    def _open(self) -> None:
        # The prefix: without it a colon in the name would make it a network address.
        self.container = av.open(f"file:{self.path}", metadata_errors="replace")
        if not self.container.streams.video:
            self.container.close()
            raise BrokenVideoError(self.path, "no video stream")
        self.stream = self.container.streams.video[0]
        self.codec = self.stream.codec_context
        if self.codec is None:
            self.container.close()
            raise BrokenVideoError(self.path, "no decoder for its video stream")
        self.codec.thread_count = 1  # the loader's workers fill the cores
        self.codec_name = self.codec.codec.canonical_name
        self.is_one_frame_a_packet = self.codec_name in _ONE_FRAME_A_PACKET

    def _demux(self) -> Iterator[Packet]:
        """Every packet that holds data; MPEG-4 frames packed two in a packet come apart."""
        unpack = BitStreamFilterContext("mpeg4_unpack_bframes", self.stream) if self.codec_name == "mpeg4" else None
        for packet in self.container.demux(self.stream):
            if unpack is not None:
                yield from unpack.filter(packet if packet.size else None)
            elif packet.size:
                yield packet

    def _read_all(self) -> tuple[Packets, bool]:
        """The table of packets, and whether it can be trusted; packets are kept if they are not too large."""
        rows: list[tuple[int, int, int, bool, bool]] = []
        kinds: list[Literal["I", "P", "B", "S", "none"]] = []
        size, is_sound = 0, self.is_one_frame_a_packet and self.codec.pix_fmt is not None
        length_size = nal_length_size(self.codec_name, self.codec.extradata)
        try:
            for number, packet in enumerate(self._demux()):
                if packet.is_corrupt:
                    raise BrokenVideoError(self.path, f"truncated or damaged: frame {number + 1} is incomplete")
                pts, dts = (NO_STAMP if stamp is None else stamp for stamp in (packet.pts, packet.dts))
                rows.append((pts, dts, packet.duration or 0, packet.is_keyframe, not packet.is_discard))
                if length_size:
                    is_sound &= nal_units_fit(memoryview(packet), length_size)
                elif self.codec_name == "mpeg4":
                    kinds.append(mpeg4_frame_kind(bytes(packet)))
                size += packet.size
                if size <= _KEPT_BYTES:
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
        stamps = np.array([row[:3] for row in rows], dtype=np.int64)
        flags = np.array([row[3:] for row in rows], dtype=np.bool_)
        stamped = self.container.format.name not in _FORMATS_WITHOUT_DISPLAY_TIMES
        tick_sec = float(self.stream.time_base or Fraction(1, 25))
        packets = Packets(
            pts=stamps[:, 0],
            dts=stamps[:, 1],
            duration=stamps[:, 2],
            is_key=flags[:, 0],
            shown=flags[:, 1],
            tick_sec=tick_sec,
            stamped=stamped,
            bidirectional=bidirectional,
        )
        return packets, is_sound

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
        stamps = list(zip(self.packets.pts.tolist(), self.packets.dts.tolist(), strict=True))
        if start and self.codec_name != "mpeg4" and stamps[start][1] != NO_STAMP:
            self.container.seek(stamps[start][1], stream=self.stream)
            packets = self._demux()
            first = next(packets, None)
            if first is not None and stamps.count((first.pts, first.dts)) == 1:
                number = stamps.index((first.pts, first.dts))
                if number <= start:
                    yield number, first
                    yield from enumerate(packets, number + 1)
                    return
        self.container.close()
        self._open()
        yield from enumerate(self._demux())

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
