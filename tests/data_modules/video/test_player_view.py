"""Which stream is taken, whose clock times count on, and how frames look: as a player has it. Files in ``cases``."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.bitstream import BitStreamFilterContext

from data_modules.batch import BrokenVideo, Record
from data_modules.errors import BrokenVideoError
from data_modules.loading.dataset import VideoDataset
from data_modules.loading.frames import FrameChunks
from data_modules.loading.sampling import SegmentSampler
from data_modules.loading.transforms import ResizeCrop
from data_modules.video import decoding, demuxing
from data_modules.video.decoding import VideoReader

CASES, VIDEOS = Path(__file__).parents[1] / "cases", Path(__file__).parents[1] / "videos"
TS_PACKET = 188


def assert_sparse_equals_full(path: Path) -> torch.Tensor:
    """Every frame of a video, each of which is the same when it is asked for alone."""
    with VideoReader(path) as reader:
        everything = torch.stack([frame for frame, _ in reader.frames()])
        assert len(everything) == reader.timeline.num_frames
    with VideoReader(path) as reader:
        for place, time_sec in enumerate(reader.timeline.times_sec.tolist()):
            frames, times = reader.decode([time_sec])
            assert torch.equal(frames[0], everything[place])
            assert times[0] == pytest.approx(time_sec)
    return everything


def brightness(path: Path, *moments_sec: float) -> list[float]:
    with VideoReader(path) as reader:
        frames, _ = reader.decode(moments_sec)
        return frames.float().mean((1, 2, 3)).tolist()


def remuxed(source: Path, target: Path, bitstream_filter: str | None = None, shift: int = 0) -> Path:
    # The muxer's own filters would undo the one that is asked for.
    options = {"fflags": "-autobsf"} if bitstream_filter else {}
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        split = BitStreamFilterContext(bitstream_filter or "null", stream)
        for packet in old.demux(stream):
            for part in split.filter(packet if packet.size else None):
                part.stream = copy
                part.pts, part.dts = (None if stamp is None else stamp + shift for stamp in (part.pts, part.dts))
                new.mux(part)
    return target


def test_a_cover_is_no_video() -> None:
    with VideoReader(CASES / "coverfirst.mkv") as reader:
        assert (reader.timeline.num_frames, reader.timeline.duration_sec) == (20, 2.0)
    with pytest.raises(BrokenVideoError, match="no video stream"):
        VideoReader(CASES / "audiocover.mp4")


@pytest.mark.parametrize(("name", "num_frames"), [("ab.mpg", 100), ("ab.ts", 40)])
def test_one_recording_follows_the_other(name: str, num_frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for held_bytes in (128 << 20, 0):
        monkeypatch.setattr(decoding, "_HELD_BYTES", held_bytes)
        frames = assert_sparse_equals_full(CASES / name)
        bright = frames.float().mean((1, 2, 3)) > 128
        assert bright.tolist() == [False] * (num_frames // 2) + [True] * (num_frames // 2)
    with VideoReader(CASES / name) as reader:
        assert reader.timeline.duration_sec == pytest.approx(4.0)
        assert np.diff(reader.timeline.times_sec).tolist() == pytest.approx([4 / num_frames] * (num_frames - 1))


def test_joined_matroska_files(tmp_path: Path) -> None:
    part = (VIDEOS / "bear_vp9.webm").read_bytes()
    (tmp_path / "twice.webm").write_bytes(part + part)
    with VideoReader(VIDEOS / "bear_vp9.webm") as once, VideoReader(tmp_path / "twice.webm") as twice:
        assert twice.timeline.num_frames == 2 * once.timeline.num_frames
        assert twice.timeline.duration_sec == pytest.approx(2 * once.timeline.duration_sec, abs=0.01)
        again, _ = twice.decode(once.timeline.duration_sec + once.timeline.times_sec[3:5] + 0.01)
        assert torch.equal(again, once.decode(once.timeline.times_sec[3:5])[0])
    (tmp_path / "cut.webm").write_bytes(part + part[:-100])
    with pytest.raises(BrokenVideoError, match="truncated: 100 bytes"):
        VideoReader(tmp_path / "cut.webm")


@pytest.mark.parametrize("name", ["flv_h264.flv", "rotated_90.mov"])
def test_joined_files_that_are_read_in_part_are_broken(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(2 * (VIDEOS / name).read_bytes())
    with pytest.raises(BrokenVideoError, match="one behind the other"):
        VideoReader(tmp_path / name)


def test_a_lost_packet_costs_frames_and_not_the_recording(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = (CASES / "ab.ts").read_bytes()
    packets = [content[place : place + TS_PACKET] for place in range(0, len(content), TS_PACKET)]
    path = tmp_path / "lossy.ts"
    whole = assert_sparse_equals_full(CASES / "ab.ts")
    of_video = [place for place, packet in enumerate(packets) if packet[1] & 0x1F == 1 and packet[2] == 0]
    for lost in (of_video[8], of_video[40]):
        path.write_bytes(b"".join(packets[:lost] + packets[lost + 1 :]))
        kept = assert_sparse_equals_full(path)
        assert 20 < len(kept) < 40
        assert f"lossy.ts: {39 - len(kept)} of 39 frames are lost" in caplog.text
        with VideoReader(path) as reader:
            assert reader.timeline.duration_sec == pytest.approx(4.0)
            places = (reader.timeline.times_sec * 10).round().astype(int)
        assert torch.equal(kept, whole[places])
        assert (np.array(brightness(path, 0.1, 1.9, 2.1, 3.9)) > 128).tolist() == [False, False, True, True]


def test_a_clock_that_overflows(tmp_path: Path) -> None:
    wraps_at_sec = 2**33 / 90_000  # a transport stream counts in 33 bits
    path = remuxed(CASES / "sar.mp4", tmp_path / "wrap.ts", shift=round(10_240 * (wraps_at_sec - 0.5)))
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux() if packet.pts is not None]
        assert min(stamps) < 0 < max(stamps)  # as FFmpeg says it
    with VideoReader(path) as reader:
        assert reader.timeline.times_sec.tolist() == pytest.approx(np.arange(10) / 10)


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv"])
def test_zero_is_the_start_of_the_file(name: str) -> None:
    assert (np.array(brightness(CASES / name, 0.0, 3.1, 4.9, 5.1, 7.9)) > 128).tolist() == [False] * 3 + [True] * 2
    with VideoReader(CASES / name) as reader:
        timeline = reader.timeline
    assert timeline.start_sec == timeline.times_sec[0] == pytest.approx(3.0, abs=0.03)
    assert timeline.duration_sec == pytest.approx(8.0, abs=0.03)
    assert timeline.frame_rate == pytest.approx(10.0)
    assert timeline.ticks(2.0).times_sec.tolist() == pytest.approx(timeline.start_sec + np.arange(0.25, 5, 0.5))
    (chunk,) = FrameChunks([Record("v", CASES / name, 0)], ResizeCrop(16), 2.0)
    assert chunk.pieces[0].times_sec == timeline.ticks(2.0).times_sec.tolist()
    dataset = VideoDataset([Record("v", CASES / name, 0)], SegmentSampler(5), [ResizeCrop(16)], training=False, seed=0)
    (sample,) = dataset.__getitems__([(0, 0)])
    assert not isinstance(sample, BrokenVideo)
    expected = [timeline.start_sec + part for part in (0.5, 1.5, 2.5, 3.5, 4.5)]
    assert sample["time_sec"][0].tolist() == pytest.approx(expected, abs=0.06)


def test_hidden_frames_in_packets_of_their_own(tmp_path: Path) -> None:
    path = remuxed(VIDEOS / "odd_size_vp9.webm", tmp_path / "split.mkv", "vp9_superframe_split")
    with VideoReader(VIDEOS / "odd_size_vp9.webm") as whole, VideoReader(path) as split:
        assert (len(split._packets), split._packets.displayed.sum()) == (32, 30)
        assert split.timeline.times_sec.tolist() == whole.timeline.times_sec.tolist()
        everything = torch.stack([frame for frame, _ in whole.frames()])
    assert torch.equal(assert_sparse_equals_full(path), everything)


def test_pixels_that_are_not_square() -> None:
    with VideoReader(CASES / "sar.mp4") as reader:
        frames, _ = reader.decode([0.5])
        assert (frames.shape[-2:], reader.pixel_aspect) == ((64, 64), 2.0)
        (chunk,) = FrameChunks([Record("v", CASES / "sar.mp4", 0)], ResizeCrop(64), 1.0)
    wide = torch.nn.functional.interpolate(frames, (64, 128), mode="bicubic", antialias=True)
    assert (chunk.frames[0].int() - wide[0, :, :, 32:96].int()).abs().max() <= 1
    for stretched in (0.5, 2.0):
        assert ResizeCrop(8)(frames, stretched).shape == (1, 3, 8, 8)


def test_turned_pictures_have_turned_pixels(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        stream.set_display_rotation(90)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame(32, 48, "yuv420p")))
        container.mux(stream.encode(None))
    with VideoReader(path) as reader:
        frames, _ = reader.decode([0.0])
        assert frames.shape[-2:] == (32, 48)
        assert reader.pixel_aspect == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", ["vp8_flipped_bits.webm", "mjpeg_moved_index.avi"])
def test_damage_that_a_decoder_does_not_see_gives_the_same_frames_each_time(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = CASES / name
    with VideoReader(path) as reader:
        held = [frame for frame, _ in reader.frames()]
    monkeypatch.setattr(decoding, "_HELD_BYTES", 0)
    monkeypatch.setattr(demuxing, "_KEPT_BYTES", 0)
    with VideoReader(path) as reader:
        for place in (23, 5, 12):
            assert torch.equal(reader.decode([reader.timeline.times_sec[place]])[0][0], held[place])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gap_30years.mkv", "2 frames are spread over 555,556 hours"),
        ("px_8192.mp4", "a frame has 8192 x 8192 pixels"),
    ],
)
def test_small_files_that_ask_for_much(name: str, reason: str) -> None:
    with pytest.raises(BrokenVideoError, match=reason):
        VideoReader(CASES / name)


def test_more_packets_and_odder_shapes_than_any_video_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demuxing, "MAX_PACKETS", 9)
    with pytest.raises(BrokenVideoError, match="more than 9 frames; cut it"):
        VideoReader(CASES / "sar.mp4")
    monkeypatch.setattr(demuxing, "MAX_STRETCH", 1.5)
    with pytest.raises(BrokenVideoError, match="its picture is 2 times as wide as high"):
        VideoReader(CASES / "sar.mp4")


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "other.ts").write_bytes((CASES / "ab.ts").read_bytes())
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nother.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(BrokenVideoError):
        VideoReader(path)
    path.write_text("ffconcat version 1.0\nfile other.ts\n")
    with pytest.raises(BrokenVideoError, match="names other files"):
        VideoReader(path)


def test_a_frame_that_stays_is_looked_at_once() -> None:
    record = Record("v", CASES / "ab.ts", 0)  # 40 frames in 4 s
    slow, fast = (list(FrameChunks([record], ResizeCrop(16), rate)) for rate in (10.0, 200.0))
    assert sum(len(chunk.frames) for chunk in fast) == sum(len(chunk.frames) for chunk in slow) == 40
    (piece,) = fast[0].pieces
    assert len(piece.times_sec) == len(piece.frame_of) == 800
    assert piece.frame_of == [place // 20 for place in range(800)]
