"""Sizes and kinds on hand-made bytes."""

from pathlib import Path

import pytest

from data_modules.video.bitstream import missing_bytes, mpeg4_frame_kind, nal_length_size, nal_units_fit, shows_a_frame

EBML = b"\x1a\x45\xdf\xa3\x82ab" + b"\x18\x53\x80\x67"


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (b"", 0),
        (b"RIFF\x04\x00\x00\x00AVI ", 0),
        (b"RIFF\x0a\x00\x00\x00AVI ", 6),
        (EBML + b"\x83abc", 0),
        (EBML + b"\x85abc", 2),
        (EBML + b"\x40\x05abc", 2),
        (EBML + b"\xff" + b"live", 0),
        (EBML + b"\x01" + b"\xff" * 7 + b"live", 0),
        (b"\x00\x00\x00\x18ftypmp42", 0),
    ],
)
def test_missing_bytes(content: bytes, missing: int, tmp_path: Path) -> None:
    path = tmp_path / "video"
    path.write_bytes(content)
    assert missing_bytes(path) == missing


def test_nal_units() -> None:
    assert nal_length_size("h264", b"\x01\x64\x00\x1f\xff") == 4
    assert nal_length_size("h264", b"\x00\x00\x00\x01\x67") == 0
    assert nal_length_size("vp9", b"\x01" * 30) == 0
    assert nal_units_fit(memoryview(b"\x00\x02ab\x00\x01c"), 2)
    assert not nal_units_fit(memoryview(b"\x00\x02ab\x00\x02c"), 2)
    assert not nal_units_fit(memoryview(b"\x00\x02ab\x00"), 2)


def test_mpeg4_frame_kind() -> None:
    frame = b"\x00\x00\x01\xb6%c" + b"\x00" * 20
    assert [mpeg4_frame_kind(frame % bits) for bits in (b"\x00", b"\x40", b"\x80", b"\xc0")] == ["I", "P", "B", "S"]
    assert mpeg4_frame_kind(b"\x00\x00\x01\xb6\x51\x00") == "none"
    assert mpeg4_frame_kind(b"\x00\x00\x01\xb0" + b"\x11" * 20) == "none"


def test_frames_that_are_only_referred_to() -> None:
    def shows(codec: str, *content: int) -> bool:
        return shows_a_frame(codec, memoryview(bytes(content)))

    superframe = (0x84, 0x82, 0xC1, 1, 1, 0xC1)  # a hidden frame and a shown one, of a byte each
    packets = {
        "vp8": ((0x10, 0), ()),
        "vp9": ((0x82, 0), (0x88, 0), superframe),
        "av1": ((0x12, 0, 0x32, 1, 0x10), (0x1A, 1, 0x80)),
        "h264": ((0,),),
    }
    assert all(shows(codec, *packet) for codec, those in packets.items() for packet in those)
    assert not shows("vp8", 0x01, 0)
    assert not shows("vp9", 0x84, 0)
    assert not shows("vp9", 0x84, 0x84, *superframe[2:])
    assert not shows("av1", 0x12, 0, 0x32, 1, 0x20)
