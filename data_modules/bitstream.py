"""What the bytes of a video say without being decoded. Pure; no decoder."""

import io
from pathlib import Path
from typing import BinaryIO, Literal

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_START_CODE_OF_FRAME = b"\x00\x00\x01\xb6"


def missing_bytes(path: Path) -> int:
    """How many bytes shorter a file is than its own header says; 0 where the header does not say.

    AVI (RIFF) and Matroska or WebM say it; FFmpeg reads such a file up to its early end without complaint. A cut MP4
    needs no such check: it cannot be opened, or FFmpeg fails to read a frame that its index names.
    """
    with path.open("rb") as file:
        end = _promised_end(file)
        return max(end - file.seek(0, io.SEEK_END), 0)


def _promised_end(file: BinaryIO) -> int:
    head = file.read(12)
    if head[:4] == b"RIFF":
        return 8 + int.from_bytes(head[4:8], "little")
    if head[:4] != _EBML:
        return 0
    file.seek(4)
    file.seek(_element_size(file) or 0, io.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return 0
    size = _element_size(file)
    return 0 if size is None else file.tell() + size


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


def mpeg4_frame_kind(packet: bytes) -> Literal["I", "P", "B", "S", "none"]:
    """Kind of the first frame in an MPEG-4 part 2 packet; "none" where there is none that is coded.

    A packet of at most 10 bytes is a frame that only says "the last one again": the decoder gives nothing for it.
    """
    place = packet.find(_START_CODE_OF_FRAME) + len(_START_CODE_OF_FRAME)
    if place < len(_START_CODE_OF_FRAME) or place >= len(packet) or len(packet) <= 10:
        return "none"
    kinds: tuple[Literal["I", "P", "B", "S"], ...] = ("I", "P", "B", "S")
    return kinds[packet[place] >> 6]
