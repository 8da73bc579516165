from pathlib import Path

import pytest
import torch

from data_modules.errors import BrokenVideoError
from data_modules.synthetic.rendering import write_mp4
from data_modules.video.decoding import VideoReader
from prompt_video.reports.video_previews import write_preview


def test_a_clip_is_small_short_and_begins_where_it_is_told_to(tmp_path: Path) -> None:
    # A video that gets brighter, 4 seconds at 12 frames a second.
    frames = (torch.arange(48) * 5).to(torch.uint8)[:, None, None, None].expand(48, 3, 128, 128)
    source, clip = tmp_path / "long.mp4", tmp_path / "clip.mp4"
    write_mp4([frames], source)
    write_preview(source, clip, start_sec=1.0, short_side=51, max_sec=2.0)
    with VideoReader(clip) as reader:
        assert reader.timeline.duration_sec == pytest.approx(2.0, abs=0.01)
        shown, _ = reader.decode([0.0, 1.9])
    assert shown.shape[-2:] == (52, 52)  # the next even number
    assert shown.float().mean((1, 2, 3)).tolist() == pytest.approx([12 * 5, 34 * 5], abs=8)


def test_an_odd_size_and_a_late_beginning(videos: Path, tmp_path: Path) -> None:
    for path in sorted(videos.glob("*.mp4")):
        clip = tmp_path / path.name
        try:
            write_preview(path, clip, start_sec=1e6)
        except BrokenVideoError:
            continue
        with VideoReader(clip) as reader:
            assert min(reader.decode([0.0])[0].shape[-2:]) <= 160
            assert reader.timeline.duration_sec <= 1.2
