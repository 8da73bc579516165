"""The frames of a video that are on screen at given moments, decoded with as little work as is exact.

How: all packets are read first, which costs little beside decoding, and tells the time of every frame and where the
key frames are. Then only the spans from the right key frame to the last wanted frame are decoded, frames that nothing
refers to are skipped, and only wanted frames become RGB. Every packet is numbered before it is decoded and the decoder
hands the number on, so a frame is known by its packet, never by its place in the output or by its time stamp. What
does not come out as the container promised is decoded again, from the first packet to the last.

What is broken: a file that cannot be opened or has no video stream; that is shorter than its own header says; that
holds an incomplete packet; of which a frame cannot be decoded or comes out damaged; whose picture size changes midway;
that asks for more than `limits` allows. A start that cannot be decoded, as a cut leaves it, is not broken: the video
then begins at its first key frame. Nor are recordings that were joined, whose clocks start anew: one follows the other.
A transport stream is made for lossy channels: what was received incompletely is left out up to the next key frame, and
the frame before it stays on screen.

Interlaced pictures are shown as they are stored: both fields woven into one frame, which leaves combs where things
move. Nothing is interpolated.

What sparse decoding cannot see: damage *inside* compressed frames, unless it lies in a span that is decoded. All
else is seen when the file is opened; `VideoReader.frames` sees that, too. So a video with such damage gives exact
frames for moments that do not need the damaged part, and is broken for all others. Where the decoder complains and goes
on, filling in what it lacks, everything is decoded, always the same: by a decoder that remembers nothing. What no
decoding sees: whole frames taken out of a file that has no index of them (FLV, MPEG-TS, a live recording), for which
FFmpeg fills in. Where the numbers of H.264 frames tell of it everything is decoded, too. Nor frames of FFV1 that were
exchanged: its decoder reads past their ends then, and what it makes of it is held against what it made first.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType

import av
import numpy as np
import torch
from av.video.reformatter import VideoReformatter
from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor

from data_modules.errors import BrokenVideoError
from data_modules.video.decoder import Decoder, InconsistentError
from data_modules.video.demuxing import PacketSource
from data_modules.video.limits import MAX_SEC, MAX_SEC_PER_FRAME
from data_modules.video.pictures import Picture, as_tensor, checksum, picture_of
from data_modules.video.timeline import Display, Timeline, spans

# Up to here the frames of a video that had to be decoded to be understood stay in memory, as they left the decoder.
_HELD_BYTES = 128 << 20

log = logging.getLogger(__name__)


class VideoReader:
    """One open video.

    Args:
        path: the file.

    Raises:
        BrokenVideoError: see the top of this file.
    """

    timeline: Timeline  # may be corrected by `decode`, when it finds that the container was wrong
    pixel_aspect: float  # width of a pixel to its height, of the frames that were given

    def __init__(self, path: Path) -> None:
        self.path = path
        self._source = PacketSource(path)
        self._decoder = Decoder(self._source)
        self._packets = self._source.packets
        self.pixel_aspect = self._source.pixel_aspect
        self._reformatter = VideoReformatter()
        self._decode_sparsely = self._source.is_complete
        self._held: dict[int, av.VideoFrame] = {}
        self._checksums: dict[int, int] = {}
        try:
            self._judge_tails()
            is_told = self._source.is_sound and self._source.is_complete
            self._set_display((self._packets.display() if is_told else None) or self._find_display())
        except BrokenVideoError:
            self.close()
            raise

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._held = {}
        self._source.close()

    def decode(
        self,
        moments_sec: Sequence[float] | Float64[np.ndarray, " T"],
        look: Callable[[UInt8[Tensor, "3 H W"]], UInt8[Tensor, "..."]] | None = None,
    ) -> tuple[UInt8[Tensor, "T ..."], Float[Tensor, " T"]]:
        """The frame on screen at each moment.

        Args:
            moments_sec: seconds from the start of the file, in any order, also repeated. A moment before the first
                frame means the first, one after the last the last.
            look: what is kept of each frame, such as a crop: whole frames of large videos need not fit in memory.

        Returns:
            RGB frames, display rotation applied (stored as T H W 3), and the times at which they came on screen. Pixels
            that are not square stay as they are: `pixel_aspect` tells, and whatever resizes the frames mends it.

        Raises:
            BrokenVideoError: if a frame that is needed for these moments is damaged.
        """
        places = self.timeline.on_screen(moments_sec)
        try:
            frames = self._stacked(self._some_pictures(places), places, look)
        except InconsistentError:
            self._distrust()
            places = self.timeline.on_screen(moments_sec)
            frames = self._stacked(self._all_pictures(places), places, look)
        return frames, torch.from_numpy(self.timeline.times_sec[places]).float()

    def stream(
        self, moments_sec: Sequence[float] | Float64[np.ndarray, " T"]
    ) -> Iterator[tuple[UInt8[Tensor, "3 H W"], float]]:
        """What `decode` gives, for moments in ascending order, one frame at a time: for more than fit in memory.

        Moments that see the same frame get the same tensor, so that it need be looked at only once.
        """
        places = self.timeline.on_screen(moments_sec)
        done = 0
        try:
            for picture in self._in_order(self._some_pictures(places), places):
                yield picture
                done += 1
        except InconsistentError:
            self._distrust()
            places = self.timeline.on_screen(moments_sec)[done:]
            yield from self._in_order(self._all_pictures(places), places)

    def frames(self) -> Iterator[tuple[UInt8[Tensor, "3 H W"], float]]:
        """Every frame in display order, with the time at which it comes on screen.

        Raises:
            BrokenVideoError: when a damaged frame is reached, or, for a lost one, at the end.
        """
        places = np.arange(self.timeline.num_frames)
        return self._in_order(self._all_pictures(places), places)

    def _stacked(
        self,
        pictures: Iterator[tuple[int, Picture]],
        places: Int64[np.ndarray, " T"],
        look: Callable[[UInt8[Tensor, "3 H W"]], UInt8[Tensor, "..."]] | None,
    ) -> UInt8[Tensor, "T ..."]:
        """What is kept of the pictures at the given places; whole ones are stored as T H W 3."""
        wanted_at: dict[int, list[int]] = {}
        for place, number in enumerate(self._display.order[places].tolist()):
            wanted_at.setdefault(number, []).append(place)
        kept: UInt8[np.ndarray, "T ..."] | None = None
        for number, picture in pictures:
            seen = picture if look is None else look(as_tensor(picture)).numpy()
            if kept is None:
                kept = np.empty((len(places), *seen.shape), np.uint8)
            if seen.shape != kept.shape[1:]:
                raise BrokenVideoError(self.path, "the picture is turned midway")
            for place in wanted_at.pop(number, ()):
                kept[place] = seen
        if wanted_at or kept is None:
            raise BrokenVideoError(self.path, f"{len(wanted_at)} frames cannot be decoded")
        frames = torch.from_numpy(kept)
        return frames if look is not None else frames.permute(0, 3, 1, 2)

    def _in_order(
        self, pictures: Iterator[tuple[int, Picture]], places: Int64[np.ndarray, " T"]
    ) -> Iterator[tuple[UInt8[Tensor, "3 H W"], float]]:
        """The pictures at the given places in display order, ascending, each as soon as it is there."""
        early: dict[int, Picture] = {}
        done = 0
        for number, picture in pictures:
            early[number] = picture
            while done < len(places) and (current := int(self._display.order[places[done]])) in early:
                frame = as_tensor(early.pop(current))
                time_sec = float(self.timeline.times_sec[places[done]])
                for _ in range(int(np.searchsorted(places, places[done], side="right")) - done):
                    yield frame, time_sec
                    done += 1
        if done < len(places):
            raise BrokenVideoError(self.path, f"{len(set(places[done:].tolist()))} frames cannot be decoded")

    def _judge_tails(self) -> None:
        """Where recordings were joined the last frames of one seem incomplete: they are kept if they can be decoded."""
        for tail in self._source.doubtful:
            earliest = self._packets.pts[tail.start : tail.stop].min()
            keys = np.flatnonzero((self._packets.is_key & (self._packets.pts <= earliest))[: tail.start + 1])
            try:
                output = dict(self._decoder.frames(int(keys[-1]) if len(keys) else 0, tail.stop - 1, None))
            except InconsistentError:
                output = {}
            if any(number not in output or output[number].is_corrupt for number in tail):
                self._source.lose(tail)
        self._packets = self._source.packets
        if self._packets.lost is not None and self._packets.lost.any():
            _tell_losses(self.path, int(self._packets.lost.sum()), len(self._packets))

    def _set_display(self, display: Display) -> None:
        duration_sec, num_frames = display.timeline.duration_sec, display.timeline.num_frames
        if not duration_sec < min(MAX_SEC, MAX_SEC_PER_FRAME * num_frames):
            raise BrokenVideoError(self.path, f"{num_frames} frames are spread over {duration_sec / 3600:,.0f} hours")
        self._display = display
        self._ranks = display.ranks(len(self._packets))
        self.timeline = display.timeline

    def _find_display(self) -> Display:
        """Decode everything once to learn what is displayed and when; a short video's frames are kept."""
        output: list[int] = []
        held = self._decoder.kept = {}
        num_bytes = 0
        for number, frame in self._all_frames():
            output.append(number)
            if not self._source.is_well_known:
                self._checksums[number] = checksum(self._picture(frame))
            num_bytes += sum(plane.buffer_size for plane in frame.planes)
            if num_bytes <= _HELD_BYTES:
                held[number] = frame
        if len(held) < len(output):
            self._decoder.let_go()
        self._held = self._decoder.kept
        # Where packets have no frame of their own (fields, hidden frames), which ones make a frame is not known.
        self._decode_sparsely &= self._must_show() <= set(output)
        rate = self._source.stream.average_rate or self._source.stream.guessed_rate or 25
        return self._packets.display_of_output(output, float(rate))

    def _distrust(self) -> None:
        """After an inconsistency: find out what is displayed, and decode everything from now on."""
        if self._decode_sparsely:
            self._set_display(self._find_display())
            self._decode_sparsely = False

    def _some_pictures(self, places: Int64[np.ndarray, " T"]) -> Iterator[tuple[int, Picture]]:
        """Packets at the given places in display order, each once, with their pictures: decodes only what it must."""
        if self._held:
            yield from self._all_pictures(places)
            return
        if not self._decode_sparsely:
            raise InconsistentError
        wanted = set(self._display.order[places].tolist())
        codec = self._source.codec
        stated_size = (codec.width, codec.height)
        num_found = 0
        for span in spans(self._packets.is_key, self._ranks, wanted):
            latest = -1
            begin = int(self._ranks[span.start]) if span.start else -1
            for number, frame in self._decoder.frames(span.start, span.stop, wanted):
                rank = int(self._ranks[number])
                if 0 <= rank < begin:
                    continue  # shown before the key frame: not wanted, and without what it refers to
                self._check_trust(begin)
                is_false_start = latest < 0 < span.start and not (number == span.start and frame.key_frame)
                has_other_size = (frame.width, frame.height) != stated_size
                is_odd = frame.is_corrupt or frame.interlaced_frame or self._decoder.ends_early(number, frame)
                if is_false_start or has_other_size or is_odd:
                    raise InconsistentError
                if rank < 0:
                    continue
                if rank <= latest:
                    raise InconsistentError
                latest = rank
                if number in wanted:
                    num_found += 1
                    yield number, self._checked(number, frame)
            self._check_trust(begin)
        if num_found < len(wanted):
            raise InconsistentError

    def _check_trust(self, begin: int) -> None:
        """FFmpeg may complain of packets whose frames are shown before the first of a span, and of no others."""
        if any(not 0 <= self._ranks[number] < begin for number in self._decoder.doubted):
            raise InconsistentError

    def _all_pictures(self, places: Int64[np.ndarray, " T"]) -> Iterator[tuple[int, Picture]]:
        """Packets at the given places in display order, with their pictures, from decoding the whole video."""
        wanted = set(self._display.order[places].tolist())
        frames = self._held.items() if self._held else self._all_frames()
        try:
            yield from ((number, self._checked(number, frame)) for number, frame in frames if number in wanted)
        except InconsistentError as error:
            raise BrokenVideoError(self.path, str(error)) from error

    def _all_frames(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """The reference: decode everything, skip nothing, and judge whether the video is broken."""
        seen: set[int] = set()
        size: tuple[int, int] | None = None
        is_interlaced = False
        num_packets = len(self._packets)
        try:
            for number, frame in self._decoder.frames(0, num_packets - 1, None):
                is_damaged = self._source.complains_of_damage and number in self._decoder.doubted
                if (frame.is_corrupt or is_damaged) and self._packets.decodable[number]:
                    raise InconsistentError(f"frame {number + 1} of {num_packets} is damaged")
                if self._packets.decodable[number] and self._decoder.ends_early(number, frame):
                    raise InconsistentError(f"frame {number + 1} of {num_packets} is damaged: it ends early")
                if frame.is_corrupt or number in seen or not self._packets.displayed[number]:
                    continue
                if size is None:
                    size = (frame.width, frame.height)
                    self._source.check_size(*size)
                if (frame.width, frame.height) != size:
                    change = f"{size[0]}x{size[1]} to {frame.width}x{frame.height}"
                    raise InconsistentError(f"the picture size changes midway, from {change}")
                seen.add(number)
                is_interlaced |= frame.interlaced_frame
                yield number, frame
        except InconsistentError as error:
            raise BrokenVideoError(self.path, str(error)) from error
        if not seen:
            raise BrokenVideoError(self.path, "no frame can be decoded")
        lost = self._must_show() - seen
        # An interlaced frame may be stored as two packets, one a field.
        if lost and self._source.is_one_frame_a_packet and not is_interlaced:
            raise BrokenVideoError(self.path, f"{len(lost)} of {num_packets} frames cannot be decoded")

    def _must_show(self) -> set[int]:
        return set(np.flatnonzero(self._packets.decodable & self._packets.displayed).tolist())

    def _checked(self, number: int, frame: av.VideoFrame) -> Picture:
        """The picture, if it is the one that was there when the file was opened."""
        picture = self._picture(frame)
        if number in self._checksums and checksum(picture) != self._checksums[number]:
            raise InconsistentError(f"frame {number + 1} of {len(self._packets)} is damaged")
        return picture

    def _picture(self, frame: av.VideoFrame) -> Picture:
        picture, on_its_side = picture_of(frame, self._reformatter)
        self.pixel_aspect = self._source.pixel_aspect ** (-1 if on_its_side else 1)
        return picture


@cache
def _tell_losses(path: Path, num_lost: int, num_frames: int) -> None:
    """Once a process."""
    lost = "are lost, or refer to lost ones; the frame before them stays on screen"
    log.warning("%s: %d of %d frames %s", path, num_lost, num_frames, lost)
