from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from data_modules.batch import Record
from data_modules.loading import frames as frames_module
from data_modules.loading.frames import Chunk, FrameChunks
from data_modules.loading.transforms import ResizeCrop
from data_modules.video.decoding import VideoReader

Make = Callable[[Path, int], Path]
CROP = ResizeCrop(16)


def collect(chunks: list[Chunk]) -> dict[str, tuple[torch.Tensor, list[float], float | None]]:
    """Put the pieces of every video together again."""
    videos: dict[str, tuple[torch.Tensor, list[float], float | None]] = {}
    for chunk in chunks:
        start = 0
        for piece in chunk.pieces:
            subset = chunk.frames[start : start + len(piece.times_sec)]
            start += len(piece.times_sec)
            before, times, end = videos.get(piece.video_id, (chunk.frames[:0], [], None))
            assert end is None, "frames after the last piece"
            videos[piece.video_id] = (torch.cat([before, subset]), times + piece.times_sec, piece.duration_sec)
        assert start == len(chunk.frames)
    return videos


@pytest.mark.parametrize("num_workers", [0, 2])
def test_every_frame_of_every_video_in_even_chunks(
    tmp_path: Path, make_videos: Make, monkeypatch: pytest.MonkeyPatch, num_workers: int
) -> None:
    monkeypatch.setattr(frames_module, "CHUNK_FRAMES", 20)
    root = make_videos(tmp_path, 3)
    records = [Record(path.stem + path.parent.name, path, 0) for path in sorted(root.rglob("*.mp4"))]
    loader = DataLoader(FrameChunks(records, CROP, None), batch_size=None, num_workers=num_workers)
    chunks = list(loader)
    videos = collect(chunks)
    assert sorted(videos) == sorted(record.video_id for record in records)
    assert max(len(chunk.frames) for chunk in chunks) == 20
    for record in records:
        with VideoReader(record.path) as reader:
            whole = torch.stack([frame for frame, _ in reader.frames()])
            frames, times, duration_sec = videos[record.video_id]
            assert torch.equal(frames, CROP(whole))
            assert times == pytest.approx(reader.timeline.times_sec.tolist())
            assert duration_sec == reader.timeline.duration_sec


def test_a_lower_frame_rate_takes_the_frames_on_screen_mid_tick(tmp_path: Path, make_videos: Make) -> None:
    path = make_videos(tmp_path, 1) / "spinning" / "0.mp4"
    chunks = list(FrameChunks([Record("v", path, 0)], CROP, 5.0))
    frames, times, _ = collect(chunks)["v"]
    with VideoReader(path) as reader:
        expected, _ = reader.decode(times)
        assert len(times) == round(reader.timeline.duration_sec * 5)
    assert times[:3] == pytest.approx([0.1, 0.3, 0.5])
    assert torch.equal(frames, CROP(expected))


def test_a_video_that_breaks_midway_never_ends(videos: Path, tmp_path: Path, make_videos: Make) -> None:
    good = make_videos(tmp_path, 1) / "spinning" / "0.mp4"
    records = [
        Record("breaks", videos / "corrupt_stops_midway.mp4", 0),
        Record("good", good, 0),
        Record("audio", videos / "audio_only.mp4", 0),
    ]
    chunks = list(FrameChunks(records, CROP, None))
    assert [video.video_id for chunk in chunks for video in chunk.broken] == ["breaks", "audio"]
    whole = {name for name, (_, _, duration_sec) in collect(chunks).items() if duration_sec is not None}
    assert whole == {"good"}
