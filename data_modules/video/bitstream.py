"""What the bytes of a video say without being decoded. Pure; no decoder."""

import io
import mmap
import re
from pathlib import Path
from typing import BinaryIO, Literal

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_AV1_FRAME_HEADER, _AV1_FRAME = 3, 6
_JPEG_HUFFMAN, _JPEG_SCAN, _JPEG_QUANTIZATION, _JPEG_COMMENT = 0xC4, 0xDA, 0xDB, 0xFE
_START_CODE_OF_FRAME = b"\x00\x00\x01\xb6"


def missing_bytes(path: Path) -> int:
    """How many bytes shorter a file is than its own header says; 0 where the header does not say.

    AVI (RIFF) and Matroska or WebM say it; FFmpeg reads such a file up to its early end without complaint. A cut MP4
    needs no such check: it cannot be opened, or FFmpeg fails to read a frame that its index names.
    """
    with path.open("rb") as file:
        length = file.seek(0, io.SEEK_END)
        end, after = 0, _promised_end(file, 0)
        while end < after < length:  # recordings that were joined
            end, after = after, max(_promised_end(file, after), after)
        return max(after - length, 0)


def _promised_end(file: BinaryIO, start: int) -> int:
    """Where what begins there ends; 0 where it does not say."""
    file.seek(start)
    head = file.read(12)
    if head[:4] == b"RIFF":
        return start + 8 + int.from_bytes(head[4:8], "little")
    if head[:4] != _EBML:
        return 0
    file.seek(start + 4)
    file.seek(_element_size(file) or 0, io.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    size = _element_size(file)
    return 0 if size is None else file.tell() + size


def holds_more_than_is_read(path: Path) -> bool:
    """Whether recordings were joined in a format of which FFmpeg, as players do, reads the first alone: FLV and MP4."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"FLV\x01":
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return re.compile(rb"FLV\x01.\0\0\0\x09", re.DOTALL).search(content, 1) is not None
        return head[4:8] == b"ftyp" and _top_level_boxes(file).count(b"moov") > 1


def _top_level_boxes(file: BinaryIO) -> list[bytes]:
    """Kinds of the boxes of an MP4 file, up to one that makes no sense."""
    length, place = file.seek(0, io.SEEK_END), 0
    kinds: list[bytes] = []
    while place + 8 <= length:
        file.seek(place)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        if size < 8:
            break
        kinds.append(head[4:8])
        place += size
    return kinds


def _element_size(file: BinaryIO) -> int | None:
    """A Matroska size: the leading zero bits of its first byte tell its length; all ones: unknown (a live stream)."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    size = int.from_bytes(first + file.read(length - 1), "big") & ((1 << 7 * length) - 1)
    return None if size == (1 << 7 * length) - 1 else size


def nal_length_size(codec: str, extradata: bytes | None) -> int:
    """Bytes that state the length of each unit in an H.264 or HEVC packet; 0: units are parted by start codes."""
    place = {"h264": 4, "hevc": 21}.get(codec)
    if place is None or extradata is None or len(extradata) <= place or extradata[0] != 1:
        return 0
    return (extradata[place] & 3) + 1


def nal_units_fit(packet: memoryview, length_size: int) -> bool:
    """Whether the units of an H.264 or HEVC packet fill it: false in overwritten and in cut files."""
    place = 0
    while place + length_size <= len(packet):
        place += length_size + int.from_bytes(packet[place : place + length_size], "big")
    return place == len(packet)


def jpeg_parts(packet: memoryview) -> frozenset[tuple[int, int]]:
    """What stands before the pixels of a JPEG: kinds of its segments, with the number of each table, -1 if it has none.

    What one picture leaves out FFmpeg takes from the one that it decoded before.
    """
    parts, place = set[tuple[int, int]](), 2
    while place + 4 <= len(packet) and packet[place] == 0xFF:
        kind, size = packet[place + 1], int.from_bytes(packet[place + 2 : place + 4], "big")
        end, place = place + 2 + size, place + 4
        while kind in (_JPEG_QUANTIZATION, _JPEG_HUFFMAN) and place < min(end, len(packet)):
            parts.add((kind, packet[place]))
            if kind == _JPEG_QUANTIZATION:
                place += 1 + (64 << (packet[place] >> 4 & 1))
            else:
                place += 17 + sum(packet[place + 1 : place + 17])
        parts.add((kind, -1))
        place = end
        if kind == _JPEG_SCAN:
            break
    return frozenset(parts - {(_JPEG_COMMENT, -1)})


def shows_a_frame(codec: str, packet: memoryview) -> bool:
    """Whether a packet of VP8, VP9 or AV1 holds a frame to be shown, and not only one that others refer to.

    What cannot be read counts as shown: the decoder will say what is wrong with it.
    """
    try:
        if codec == "vp8":
            return bool(packet[0] & 0x10)
        if codec == "vp9":
            return any(_vp9_shows(frame) for frame in _vp9_frames(packet))
        return codec != "av1" or _av1_shows(packet)
    except IndexError:
        return True


def _vp9_frames(packet: memoryview) -> list[memoryview]:
    """A superframe taken apart by the index at its end."""
    mark = packet[-1]
    count, width = (mark & 7) + 1, (mark >> 3 & 3) + 1
    index = packet[-(2 + count * width) :]
    if mark >> 5 != 0b110 or index[0] != mark:
        return [packet]
    frames, place = [], 0
    for number in range(count):
        size = int.from_bytes(index[1 + number * width : 1 + (number + 1) * width], "little")
        frames.append(packet[place : place + size])
        place += size
    return frames


def _vp9_shows(frame: memoryview) -> bool:
    """The bits of the header: marker 2, profile 2 (3 for profile 3), show existing frame 1, key 1, show 1."""
    shift = 2 if frame[0] & 0x30 == 0x30 else 3
    return bool(frame[0] >> shift & 1 or frame[0] >> (shift - 2) & 1)


def _av1_shows(packet: memoryview) -> bool:
    """Headers of frames begin with: show existing frame 1, type 2, show 1."""
    place = 0
    while place < len(packet):
        kind, has_extension, has_size = packet[place] >> 3 & 15, packet[place] & 4, packet[place] & 2
        place += 2 if has_extension else 1
        size = len(packet) - place
        if has_size:
            size, place = _leb128(packet, place)
        if kind in (_AV1_FRAME, _AV1_FRAME_HEADER) and packet[place] & 0x90:
            return True
        place += size
    return False


def _leb128(data: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where what follows it begins."""
    number = shift = 0
    while data[place] & 0x80:
        number |= (data[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
    return number | data[place] << shift, place + 1


def mpeg4_frame_kind(packet: bytes) -> Literal["I", "P", "B", "S", "none"]:
    """Kind of the first frame in an MPEG-4 part 2 packet; "none" where there is none that is coded.

    A packet of at most 10 bytes is a frame that only says "the last one again": the decoder gives nothing for it.
    """
    place = packet.find(_START_CODE_OF_FRAME) + len(_START_CODE_OF_FRAME)
    if place < len(_START_CODE_OF_FRAME) or place >= len(packet) or len(packet) <= 10:
        return "none"
    kinds: tuple[Literal["I", "P", "B", "S"], ...] = ("I", "P", "B", "S")
    return kinds[packet[place] >> 6]
