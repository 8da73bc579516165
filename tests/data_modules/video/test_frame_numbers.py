"""Missing frames of H.264, told by their numbers."""

import random
from pathlib import Path

import av
import pytest

from data_modules.video import frame_numbers
from data_modules.video.bitstream import nal_length_size
from data_modules.video.frame_numbers import first_slice, numbers_run_on

VIDEOS = Path(__file__).parents[1] / "videos"


@pytest.mark.parametrize("name", ["cleaning_pool_gap_h264.mp4", "h264_raw_resolution_change.h264", "flv_h264.flv"])
def test_a_missing_reference_frame(name: str) -> None:
    with av.open(str(VIDEOS / name)) as container:
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata
        demuxed = [packet for packet in container.demux(stream) if packet.size]
    packets, times = [bytes(packet) for packet in demuxed], [packet.pts for packet in demuxed]
    length_size = nal_length_size("h264", extradata)
    slices = [first_slice(memoryview(packet), length_size) for packet in packets]
    assert numbers_run_on(extradata, length_size, slices, times)
    lost = [[None if at == place else one for at, one in enumerate(slices)] for place in range(1, 9)]
    assert not all(numbers_run_on(extradata, length_size, left, times) for left in lost)
    short = [(slices[:at] + slices[at + 1 :], times[:at] + times[at + 1 :]) for at in range(1, 9)]
    assert not all(numbers_run_on(extradata, length_size, *left) for left in short)
    assert numbers_run_on(b"", length_size, slices, times) is None


def test_exchanged_frames_that_nothing_refers_to() -> None:
    with av.open(str(VIDEOS / "first_pts_10s_h264.mp4")) as container:
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata
        packets = [packet for packet in container.demux(stream) if packet.size]
    slices, times = [first_slice(memoryview(packet), 4) for packet in packets], [packet.pts for packet in packets]
    assert numbers_run_on(extradata, 4, slices, times)
    unneeded = [place for place, one in enumerate(slices) if one is not None and not one[0] & 0x60]
    earlier, later = unneeded[0], next(place for place in unneeded if (times[place] or 0) > (times[unneeded[0]] or 0))
    assert unneeded
    slices[earlier], slices[later] = slices[later], slices[earlier]
    assert not numbers_run_on(extradata, 4, slices, times)
    assert numbers_run_on(extradata, 4, slices, [None] * len(times)) is not None


def test_a_slice_behind_much_that_is_said_before_it() -> None:
    said, one = b"\0\0\1\x06" + b"x" * 600, b"\0\0\1\x65" + bytes(range(1, 60))
    for before in (b"", said[:80], said):
        found = first_slice(memoryview(before + one), 0)
        assert found == b"\x65" + bytes(range(1, 24))
    assert first_slice(memoryview(said), 0) is None


def read_bit_by_bit(first: bytes, width: int, order_width: int, has_fields: bool) -> tuple[int, int]:
    """A slice's number and place, as the standard writes them down."""
    bits = iter("".join(f"{byte:08b}" for byte in first[1:].replace(b"\0\0\3", b"\0\0")))

    def take(count: int) -> int:
        return int("0" + "".join(next(bits) for _ in range(count)), 2)

    def pass_over() -> None:
        zeros = 0
        while not take(1):
            zeros += 1
        take(zeros)

    for _ in range(3):
        pass_over()
    number = take(width)
    if has_fields and take(1):
        take(1)
    if first[0] & 31 == 5:
        pass_over()
    return number, take(order_width)


def test_numbers_are_those_that_are_read_bit_by_bit() -> None:
    rng, num_read = random.Random(0), 0
    for _ in range(3000):
        first = bytes([rng.choice((0x41, 0x65, 0x01))]) + rng.randbytes(rng.choice((2, 5, 23)))
        first = first.replace(b"\xff", b"\0\0\3") if rng.random() < 0.3 else first
        widths = rng.randint(4, 16), rng.choice((0, 4, 16)), rng.random() < 0.5
        try:
            wanted = read_bit_by_bit(first, *widths)
        except (StopIteration, RuntimeError):
            with pytest.raises(ValueError):  # noqa: PT011 - it goes no further than the module
                frame_numbers._numbers(first, frame_numbers._Numbering(*widths))
        else:
            assert frame_numbers._numbers(first, frame_numbers._Numbering(*widths)) == wanted
            num_read += 1
    assert 1000 < num_read < 3000
