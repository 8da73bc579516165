"""Sparse decoding against decoding everything with plain PyAV, on real files and on one clip stored in many ways."""

import dataclasses
import functools
import itertools
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import Tensor

from data_modules.errors import BrokenVideoError
from data_modules.synthetic.encodings import ENCODINGS, Encoding, write_video
from data_modules.video import decoding, demuxing
from data_modules.video.decoding import VideoReader
from data_modules.video.demuxing import PacketSource

VIDEOS = Path(__file__).parents[1] / "videos"
BROKEN = {
    "audio_only.mp4": "no video stream",
    "corrupt_no_moov.mp4": "cannot be opened: Invalid data found when processing input",
    "corrupt_stops_midway.mp4": "frame 31 of 50 cannot be decoded",
    "corrupt_vp9.webm": "frame 1 of 51 cannot be decoded",
    "h264_raw_resolution_change.h264": "the picture size changes midway, from 848x464 to 424x232",
}
HEALTHY = sorted(path.name for path in VIDEOS.iterdir() if path.suffix != ".md" and path.name not in BROKEN)


def decode_everything(path: Path) -> Tensor:
    """The reference, which shares no code with ours: every frame that plain PyAV gives, in the order of output."""
    pictures = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            array = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
            pictures.append(torch.from_numpy(np.ascontiguousarray(array)))
    return torch.stack(pictures).permute(0, 3, 1, 2)


def assert_equal_to_everything(path: Path, num_draws: int = 2) -> None:
    everything = decode_everything(path)
    rng = np.random.default_rng(0)
    with VideoReader(path) as reader:
        timeline = reader.timeline
        assert timeline.num_frames == len(everything)
        for _ in range(num_draws):
            moments = rng.uniform(-0.1, timeline.duration_sec + 0.1, int(rng.integers(1, 17)))
            places = np.maximum(np.searchsorted(timeline.times_sec, moments, side="right") - 1, 0)
            frames, times_sec = reader.decode(moments.tolist())
            assert torch.equal(frames, everything[places])
            assert times_sec.tolist() == pytest.approx(timeline.times_sec[places].tolist())


@functools.cache
def clip() -> list[av.VideoFrame]:
    """A real hand-held clip; how an encoder stores drawn pictures says little."""
    with av.open(str(VIDEOS / "cleaning_pool_h264.mp4")) as container:
        frames = itertools.islice(container.decode(video=0), 75)
        return [av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24") for frame in frames]


def write(encoding: Encoding, path: Path, num_frames: int = 75) -> Path:
    options = encoding.options | ({"preset": "superfast", "bf": "2"} if encoding.codec == "libx264" else {})
    path = path.with_suffix(encoding.suffix)
    write_video(dataclasses.replace(encoding, options=options), path, clip()[:num_frames])
    return path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of all packets that reach the decoder."""
    numbers: list[int] = []
    numbered = PacketSource.numbered

    def record(self: PacketSource, start: int, stop: int) -> Iterator[tuple[int, demuxing.Packet]]:
        for number, packet in numbered(self, start, stop):
            numbers.append(number)
            yield number, packet

    monkeypatch.setattr(PacketSource, "numbered", record)
    return numbers


@pytest.mark.parametrize("name", HEALTHY)
def test_equal_on_real_files(name: str) -> None:
    assert_equal_to_everything(VIDEOS / name)


@pytest.mark.parametrize("name", [name for name in HEALTHY if (VIDEOS / name).stat().st_size < 100_000])
def test_equal_when_packets_are_too_many_to_keep(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demuxing, "_KEPT_BYTES", 0)
    assert_equal_to_everything(VIDEOS / name)


@pytest.mark.parametrize("name", ENCODINGS)
def test_equal_on_every_encoding(name: str, tmp_path: Path) -> None:
    path = write(ENCODINGS[name], tmp_path / "clip")
    assert_equal_to_everything(path, num_draws=4)


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9"])
def test_equal_for_other_codecs_with_references_in_layers(codec: str, tmp_path: Path) -> None:
    options = {"g": "12", "cpu-used": "8", "preset": "ultrafast", "bf": "3"}
    path = write(Encoding(".mkv", codec, options), tmp_path / "clip", num_frames=30)
    assert_equal_to_everything(path, num_draws=4)


def test_the_comparison_notices_a_neighbouring_frame() -> None:
    path = VIDEOS / "cleaning_pool_gap_h264.mp4"
    everything = decode_everything(path)
    with VideoReader(path) as reader:
        middle = (reader.timeline.times_sec + 0.01).tolist()
        frames, _ = reader.decode(middle)
    assert torch.equal(frames, everything)
    assert not any(torch.equal(frame, neighbour) for frame, neighbour in zip(frames[1:], everything[:-1], strict=True))


@pytest.mark.parametrize("name", ["cleaning_pool_gap_h264.mp4", "bear_vp9.webm", "editlist_preroll_h264.mp4"])
def test_all_frames_in_order(name: str) -> None:
    with VideoReader(VIDEOS / name) as reader:
        pairs = list(reader.frames())
        assert [time_sec for _, time_sec in pairs] == reader.timeline.times_sec.tolist()
    assert torch.equal(torch.stack([frame for frame, _ in pairs]), decode_everything(VIDEOS / name))


def test_stream_gives_what_decode_gives() -> None:
    with VideoReader(VIDEOS / "cleaning_pool_gap_h264.mp4") as reader:
        moments = [-1.0, 0.0, 0.2, 0.2, 0.21, 0.9, 5.0]
        frames, times_sec = reader.decode(moments)
        streamed = list(reader.stream(moments))
    assert torch.equal(torch.stack([frame for frame, _ in streamed]), frames)
    assert [time_sec for _, time_sec in streamed] == pytest.approx(times_sec.tolist())


def test_stream_decodes_each_packet_once(decoded: list[int]) -> None:
    with VideoReader(VIDEOS / "cleaning_pool_h264.mp4") as reader:
        for _ in reader.stream(np.arange(0.05, 10, 0.1)):
            pass
    assert len(decoded) == len(set(decoded)) <= 300


@pytest.mark.parametrize(("name", "reason"), BROKEN.items())
def test_broken_files_say_why(name: str, reason: str) -> None:
    with pytest.raises(BrokenVideoError) as error:
        VideoReader(VIDEOS / name)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("name", "times_sec", "duration_sec"),
    [
        ("vfr_slow_motion_h264.mp4", [0.0, 0.32534, 0.35868, 0.39201, 0.42534, 0.45868, 0.49201], 0.52534),
        ("negative_pts_editlist_h264.mp4", [float(second) for second in range(12)], 12.0),
        ("bframes_4frames.mov", [0.0, 1 / 32, 2 / 32, 3 / 32], 4 / 32),
        ("rotated_90.mov", [0.0, 1 / 30, 2 / 30], 0.1),
    ],
)
def test_timeline(name: str, times_sec: list[float], duration_sec: float) -> None:
    with VideoReader(VIDEOS / name) as reader:
        assert reader.timeline.times_sec.tolist() == pytest.approx(times_sec, abs=1e-5)
        assert reader.timeline.duration_sec == pytest.approx(duration_sec, abs=1e-5)


def test_a_late_start_is_second_zero() -> None:
    with VideoReader(VIDEOS / "first_pts_10s_h264.mp4") as reader:
        assert reader.timeline.times_sec[0] == 0
        assert reader.timeline.duration_sec == pytest.approx(4)
        assert reader.timeline.frame_rate == pytest.approx(30)


def test_header_counts_are_not_believed() -> None:
    with VideoReader(VIDEOS / "mpeg4_header_overcount.avi") as reader:
        assert reader.timeline.num_frames == 96
        assert np.diff(reader.timeline.times_sec[:3]).tolist() == pytest.approx([3 * 1001 / 24000, 1001 / 24000])


def test_moments_between_frames_and_outside() -> None:
    with VideoReader(VIDEOS / "rotated_90.mov") as reader:
        frames, times_sec = reader.decode([0.05, -3.0, 99.0, 0.05, 1 / 30])
        assert frames.shape == (5, 3, 568, 320)
        assert times_sec.tolist() == pytest.approx([1 / 30, 0, 2 / 30, 1 / 30, 1 / 30])
        assert torch.equal(frames[0], frames[3])


def test_decodes_no_more_than_the_window(tmp_path: Path, decoded: list[int]) -> None:
    path = write(ENCODINGS["h264_key12"], tmp_path / "clip")
    with VideoReader(path) as reader:
        assert decoded == []  # the timeline comes from the packets alone
        reader.decode([1.3, 1.4])
    assert len(decoded) <= 24
    assert min(decoded) >= 24


def test_a_video_that_must_be_decoded_to_be_understood_is_decoded_once(decoded: list[int]) -> None:
    with VideoReader(VIDEOS / "bbb_vp8.webm") as reader:
        reader.decode([0.1, 0.5])
        reader.decode([0.3])
        assert decoded == list(range(24))


def test_and_twice_if_it_is_too_large_to_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_HELD_BYTES", 0)
    for name in ("open_gop_cut", "negative_start"):
        path = write(ENCODINGS[name], tmp_path / name)
        assert_equal_to_everything(path)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_truncated_file_is_broken_whatever_is_asked_for(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"clip{suffix}"
    encoding = Encoding(suffix, codec="mpeg4" if suffix == ".avi" else "libx264")
    write(encoding, tmp_path / "whole", num_frames=40)
    if suffix == ".mp4":
        with (
            av.open(str(tmp_path / "whole.mp4")) as source,
            av.open(str(path), "w", options={"movflags": "faststart"}) as out,
        ):
            stream = out.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
    else:
        shutil.copy(tmp_path / f"whole{suffix}", path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(BrokenVideoError, match="truncated"):
        VideoReader(path)


@pytest.mark.parametrize("num_bytes", [1, 40_000])
def test_overwritten_bytes_are_seen_at_opening(num_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    content = bytearray((VIDEOS / "cleaning_pool_gap_h264.mp4").read_bytes())
    with VideoReader(VIDEOS / "cleaning_pool_gap_h264.mp4") as reader:
        places = [packet.pos for packet in reader._source._kept]
    start = places[12] or 0
    content[start : start + num_bytes] = b"\xff" * num_bytes
    path.write_bytes(content)
    with pytest.raises(BrokenVideoError, match="cannot be decoded"):
        VideoReader(path)


def test_damage_within_frames_is_reported_by_the_moments_that_need_them(tmp_path: Path) -> None:
    path = write(ENCODINGS["h264_key12"], tmp_path / "clip")
    with VideoReader(path) as reader:
        packet = reader._source._kept[36]
        healthy, _ = reader.decode([0.1, 2.4])
    assert packet.is_keyframe
    content = bytearray(path.read_bytes())
    start = (packet.pos or 0) + packet.size // 2
    content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)
    with VideoReader(path) as reader:
        frames, _ = reader.decode([0.1, 2.4])
        assert torch.equal(frames, healthy)
        for moments in ([1.3], [0.1, 1.5, 2.4]):
            with pytest.raises(BrokenVideoError, match="frame 37 of 75 is damaged"):
                reader.decode(moments)
    with VideoReader(path) as reader, pytest.raises(BrokenVideoError, match="frame 37 of 75 is damaged"):
        list(reader.frames())


def test_damage_in_a_frame_that_an_edit_list_hides(tmp_path: Path) -> None:
    source, path = VIDEOS / "negative_pts_editlist_h264.mp4", tmp_path / "clip.mp4"
    with VideoReader(source) as reader:
        packet = reader._source._kept[0]
        assert not reader._source.packets.displayed[0]
    content = bytearray(source.read_bytes())
    start = content.index(bytes(packet)) + packet.size // 2
    content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)
    with VideoReader(path) as reader, pytest.raises(BrokenVideoError, match="frame 1 of 13 is damaged"):
        reader.decode([0.0])


def test_an_unknown_codec(tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    path.write_bytes((VIDEOS / "bframes_4frames.mov").read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(BrokenVideoError, match="no decoder for its video stream"):
        VideoReader(path)


def test_the_picture_size_changes_midway(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for place in range(8):
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height = (64, 48) if place < 6 else (32, 48)
            encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 10)
            picture = av.VideoFrame(encoder.width, encoder.height, "yuvj420p")
            picture.pts = place
            for packet in [*encoder.encode(picture), *encoder.encode(None)]:
                packet.stream, packet.time_base = stream, Fraction(1, 10)
                packet.pts = packet.dts = place
                container.mux(packet)
    with VideoReader(path) as reader, pytest.raises(BrokenVideoError, match="from 64x48 to 32x48"):
        reader.decode([0.7])


@pytest.mark.parametrize(("name", "content"), [("nothing.mp4", None), ("empty.mp4", b""), ("words.mkv", b"hello" * 99)])
def test_what_is_no_video(name: str, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BrokenVideoError, match="cannot be opened"):
        VideoReader(path)
    with pytest.raises(BrokenVideoError, match="cannot be opened"):
        VideoReader(tmp_path)


def test_odd_names(tmp_path: Path) -> None:
    path = tmp_path / "http: 50% %03d é.mov"
    shutil.copy(VIDEOS / "bframes_4frames.mov", path)
    with VideoReader(path) as reader:
        assert reader.timeline.num_frames == 4


def test_ffmpeg_stays_silent(capfd: pytest.CaptureFixture[str]) -> None:
    for name in BROKEN:
        with pytest.raises(BrokenVideoError):
            VideoReader(VIDEOS / name)
    assert capfd.readouterr() == ("", "")
