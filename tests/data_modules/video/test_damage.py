"""Damaged videos decode to the same pictures sparsely and from the first packet on, or are told as broken."""

import shutil
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
from data_modules.video.unfinished import is_blank_there

CASES = Path(__file__).parents[1] / "cases"


def drawn(count: int, height: int = 96) -> list[av.VideoFrame]:
    """Noise that moves."""
    noise = np.random.default_rng(0).integers(0, 255, (height, 128 + count, 3), dtype=np.uint8)
    pictures = [np.ascontiguousarray(noise[:, place : place + 128]) for place in range(count)]
    return [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures]


def everything(path: Path) -> list[Tensor]:
    with VideoReader(path) as reader:
        return [frame.clone() for frame, _ in reader.frames()]


@pytest.fixture
def kept_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demuxing, "_KEPT_BYTES", request.param)
    monkeypatch.setattr(decoding, "_HELD_BYTES", 0)


@pytest.mark.parametrize("kept_bytes", [0, 64 << 20], indirect=True)
@pytest.mark.parametrize(
    ("name", "places"),
    [("h264_exchanged.mp4", [16, 17, 21]), ("h264_no_slice.ts", [33, 36]), ("msmpeg4_damaged_start.avi", [2, 6, 23])],
)
def test_what_ffmpeg_fills_in_is_always_the_same(name: str, places: list[int], kept_bytes: None) -> None:
    full = everything(CASES / name)
    for place in places:
        with VideoReader(CASES / name) as reader:
            for _ in "ab":
                frames, _ = reader.decode([float(reader.timeline.times_sec[place])])
                assert torch.equal(frames[0], full[place])
    with VideoReader(CASES / name) as reader:
        assert all(
            torch.equal(frame, other) for _ in range(2) for (frame, _), other in zip(reader.frames(), full, strict=True)
        )


@pytest.mark.parametrize("kept_bytes", [0, 64 << 20], indirect=True)
def test_a_picture_of_hevc_that_ends_early(kept_bytes: None) -> None:
    path = CASES / "hevc_ends_early.mp4"
    with pytest.raises(BrokenVideoError, match="frame 13 of 48 is damaged: it ends early"):
        everything(path)
    exact = []
    for place in (*range(8, 23), 47):
        with VideoReader(path) as reader:
            try:
                reader.decode([float(reader.timeline.times_sec[place])])
                exact.append(place)
            except BrokenVideoError as error:
                assert error.reason == "frame 13 of 48 is damaged: it ends early"  # noqa: PT017 - either is right
    assert exact == [8, 9, 10, 20, 21, 22, 47]  # without what refers to the damaged frame


def test_the_first_picture_of_hevc_ends_early(tmp_path: Path) -> None:
    """Alone in its pass: the marked memory must come back to it."""
    path = tmp_path / "clip.mp4"
    content = bytearray((CASES / "hevc_ends_early.mp4").read_bytes())
    content[63] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(BrokenVideoError, match="frame 1 of 48 is damaged: it ends early"):
        everything(path)


def test_a_jpeg_without_its_own_tables(tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    write_video(Encoding(".mov", "mjpeg", {"strict": "unofficial"}), path, drawn(8))
    with VideoReader(path) as reader:
        packet = bytes(reader._source._kept[5])
        assert reader._source.is_complete
    place = path.read_bytes().index(packet) + packet.index(b"\xff\xdb")
    content = bytearray(path.read_bytes())
    content[place + 1] = 0xFE  # a comment now: FFmpeg takes the tables of the picture before
    path.write_bytes(content)
    full = everything(path)
    with VideoReader(path) as reader:
        frames, _ = reader.decode([float(reader.timeline.times_sec[5])])
    assert torch.equal(frames[0], full[5])


def test_zeros_of_the_video_itself_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "green.mkv"
    blank = av.VideoFrame.from_ndarray(np.zeros((144, 128), np.uint8), format="yuv420p")
    frames = [frame.reformat(format="yuv420p") for frame in drawn(12)]
    frames[5:8] = [av.VideoFrame.from_ndarray(blank.to_ndarray(), format="yuv420p") for _ in range(3)]
    write_video(Encoding(".mkv", "libx265", {"x265-params": "lossless=1:keyint=4:log-level=none"}), path, frames)
    full = everything(path)
    assert len(full) == 12
    with VideoReader(path) as reader:
        for place in (6, 7, 2, 11):
            assert torch.equal(reader.decode([float(reader.timeline.times_sec[place])])[0][0], full[place])
    assert is_blank_there(path, 6)
    assert not is_blank_there(path, 2)


def test_an_open_group_of_pictures_is_still_decoded_sparsely(tmp_path: Path) -> None:
    path = tmp_path / "open.mp4"
    options = {"x264-params": "keyint=8:min-keyint=8:bframes=3:open-gop=1:ref=4:scenecut=0"}
    write_video(Encoding(options=options), path, drawn(40))
    full = everything(path)
    with VideoReader(path) as reader:
        for place in range(1, 40, 5):
            frames, _ = reader.decode([float(reader.timeline.times_sec[place])])
            assert torch.equal(frames[0], full[place])
        assert reader._decode_sparsely


def test_what_a_lossless_decoder_complains_of(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write_video(Encoding(".mkv", "ffv1", {"level": "3", "slicecrc": "1", "g": "1"}), path, drawn(6))
    with VideoReader(path) as reader:
        packet = reader._source._kept[3]
    content = bytearray(path.read_bytes())
    content[content.index(bytes(packet)) + packet.size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BrokenVideoError, match="frame 4 of 6 is damaged"):
        everything(path)


def test_a_video_that_is_gone_when_it_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_HELD_BYTES", 0)
    path = tmp_path / "clip.mp4"
    shutil.copy(CASES / "h264_exchanged.mp4", path)
    with VideoReader(path) as reader:
        assert sum(1 for _ in reader.frames()) == 48
        path.unlink()
        with pytest.raises(BrokenVideoError, match="cannot be opened: No such file"):
            list(reader.frames())


def test_each_encoding_is_free_of_complaints(tmp_path: Path) -> None:
    """What is whole is decoded sparsely: the price of doubt is paid by damaged videos alone."""
    for name, encoding in ENCODINGS.items():
        if name in ("open_gop_cut", "negative_start"):  # these must be decoded to be understood
            continue
        path = (tmp_path / name).with_suffix(encoding.suffix)
        write_video(encoding, path, drawn(60))
        with VideoReader(path) as reader:
            reader.decode([float(reader.timeline.times_sec[place]) for place in (3, 11, 19)])
            assert reader._decode_sparsely, name
            assert not reader._decoder.doubted, name
