"""Missing frames of H.264, told by their numbers."""

from pathlib import Path

import av
import pytest

from data_modules.video.bitstream import nal_length_size
from data_modules.video.frame_numbers import HEAD_BYTES, numbers_run_on

VIDEOS = Path(__file__).parents[1] / "videos"


@pytest.mark.parametrize("name", ["cleaning_pool_gap_h264.mp4", "h264_raw_resolution_change.h264", "flv_h264.flv"])
def test_a_missing_reference_frame(name: str) -> None:
    with av.open(str(VIDEOS / name)) as container:
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
    length_size = nal_length_size("h264", extradata)
    heads = [packet[:HEAD_BYTES] for packet in packets]
    assert numbers_run_on(extradata, length_size, heads)
    assert not all(numbers_run_on(extradata, length_size, heads[:at] + heads[at + 1 :]) for at in range(1, 9))
    assert numbers_run_on(b"", length_size, heads) is None
