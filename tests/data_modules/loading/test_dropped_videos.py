import json
from pathlib import Path

import pytest

from data_modules.batch import BrokenVideo
from data_modules.errors import InputError
from data_modules.loading.dropped_videos import DroppedVideos


def video(number: int) -> BrokenVideo:
    return BrokenVideo(f"v{number}", f"videos/v{number}.mp4", "no video stream")


def test_each_video_counts_once_and_is_written_once(tmp_path: Path) -> None:
    dropped_videos = DroppedVideos(max_fraction=0.5)
    dropped_videos.open_split("train", 10)
    dropped_videos.add("train", [video(1)])
    dropped_videos.write_to(tmp_path / "run" / "broken.jsonl")
    dropped_videos.add("train", [video(1), video(2)])
    lines = [json.loads(line) for line in (tmp_path / "run" / "broken.jsonl").read_text().splitlines()]
    assert [line["video_id"] for line in lines] == ["v1", "v2"]
    assert lines[0] == {"split": "train", "video_id": "v1", "path": "videos/v1.mp4", "reason": "no video stream"}
    assert list(dropped_videos.dropped["train"]) == ["v1", "v2"]


def test_the_limit_is_a_share_of_the_split() -> None:
    dropped_videos = DroppedVideos(max_fraction=0.1)
    dropped_videos.open_split("test", 20)
    dropped_videos.add("test", [video(1), video(2)])
    with pytest.raises(
        InputError, match=r"3 of the 20 videos of split 'test'.*10\.0%.*videos/v1\.mp4 \(no video stream\)"
    ):
        dropped_videos.add("test", [video(3)])


def test_none_may_be_lost_where_the_limit_is_zero() -> None:
    dropped_videos = DroppedVideos(max_fraction=0.0)
    dropped_videos.open_split("val", 1000)
    dropped_videos.add("val", [])
    with pytest.raises(InputError):
        dropped_videos.add("val", [video(1)])
