"""Missing frames of H.264, told by their numbers."""

from pathlib import Path

import av
import pytest

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
    unneeded = [place for place, one in enumerate(slices) if one is not None and not one.is_reference]
    earlier, later = unneeded[0], next(place for place in unneeded if (times[place] or 0) > (times[unneeded[0]] or 0))
    assert unneeded
    slices[earlier], slices[later] = slices[later], slices[earlier]
    assert not numbers_run_on(extradata, 4, slices, times)
    assert numbers_run_on(extradata, 4, slices, [None] * len(times)) is not None


def test_a_slice_behind_much_that_is_said_before_it() -> None:
    said, one = b"\0\0\1\x06" + b"x" * 600, b"\0\0\1\x65" + bytes(range(1, 60))
    for before in (b"", said[:80], said):
        found = first_slice(memoryview(before + one), 0)
        assert found == (5, True, bytes(range(1, 24)))
    assert first_slice(memoryview(said), 0) is None
