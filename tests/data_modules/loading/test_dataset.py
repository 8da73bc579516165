from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from data_modules.batch import BrokenVideo, Record
from data_modules.features.store import FeatureStore, Recipe, StoreWriter
from data_modules.loading.dataset import Collate, VideoDataset
from data_modules.loading.sampling import SegmentSampler, WindowSampler
from data_modules.loading.transforms import ResizeCrop
from data_modules.video.decoding import VideoReader

Make = Callable[[Path, int], Path]


def records(root: Path) -> list[Record]:
    paths = sorted(root.rglob("*.mp4"))
    return [Record(path.relative_to(root).as_posix(), path, int("spinning" in str(path))) for path in paths]


def pixels_as_features(root: Path, folder: Path) -> FeatureStore:
    """A store whose features are the cropped pixels themselves: both roads must then lead to the same numbers."""
    recipe = Recipe("pixels", "none", 3 * 16 * 16, None, "crop", "float32")
    crop = ResizeCrop(16)
    with StoreWriter(folder, recipe) as writer:
        for record in records(root):
            with VideoReader(record.path) as reader:
                frames, times = zip(*reader.frames(), strict=True)
                features = crop(torch.stack(frames)).flatten(1).float()
                writer.add(record.video_id, features, np.array(times), reader.timeline.duration_sec, record.path)
    return FeatureStore(folder, recipe)


def test_stored_features_and_decoded_frames_are_the_same_moments(tmp_path: Path, make_videos: Make) -> None:
    root = make_videos(tmp_path / "videos", 2)
    store = pixels_as_features(root, tmp_path / "store")
    for sampler in (WindowSampler(num_frames=6, strides=(1, 2), num_views=3), SegmentSampler(num_frames=5)):
        for training in (True, False):
            stored = VideoDataset(records(root), sampler, [store], training=training, seed=3)
            decoded = VideoDataset(records(root), sampler, [ResizeCrop(16)], training=training, seed=3)
            for draw in ((0, 0), (5, 3)):
                one, other = stored[draw], decoded[draw]
                assert not isinstance(one, BrokenVideo)
                assert not isinstance(other, BrokenVideo)
                assert torch.equal(one["features"], other["video"].flatten(2).float())
                assert torch.equal(one["time_sec"], other["time_sec"])
                assert one["target"] == other["target"]


def test_a_draw_is_the_same_alone_and_in_a_batch_and_differs_between_epochs(tmp_path: Path, make_videos: Make) -> None:
    root = make_videos(tmp_path / "videos", 2)
    store = pixels_as_features(root, tmp_path / "store")
    data = VideoDataset(records(root), WindowSampler(num_frames=4), [store], training=True, seed=0)
    together = data.__getitems__([(0, 0), (0, 1), (1, 0)])
    for draw, sample in zip([(0, 0), (0, 1), (1, 0)], together, strict=True):
        alone = data[draw]
        assert not isinstance(alone, BrokenVideo)
        assert not isinstance(sample, BrokenVideo)
        assert torch.equal(alone["features"], sample["features"])
    draws = {tuple(np.asarray(data._moments((epoch, 0), 2.6, 12.0)).ravel()) for epoch in range(8)}
    assert len(draws) > 1


def test_broken_videos_are_set_aside_by_name(tmp_path: Path, make_videos: Make, videos: Path) -> None:
    root = make_videos(tmp_path / "videos", 1)
    good = records(root)
    bad = [Record("audio", videos / "audio_only.mp4", 0), Record("gone", tmp_path / "gone.mp4", 1)]
    data = VideoDataset([*good, *bad], SegmentSampler(num_frames=3), [ResizeCrop(16)], training=False, seed=0)
    batch = Collate("test", ["a", "b"])([data[0, index] for index in range(4)])
    assert batch["video_id"] == [record.video_id for record in good]
    assert batch["video"].shape == (2, 3, 3, 16, 16)
    assert batch["target"].tolist() == [0, 1]
    assert [(video.video_id, video.path) for video in batch["broken"]] == [
        ("audio", str(videos / "audio_only.mp4")),
        ("gone", str(tmp_path / "gone.mp4")),
    ]
    assert "no video stream" in batch["broken"][0].reason


def test_a_batch_of_broken_videos_only_is_empty(tmp_path: Path) -> None:
    broken = BrokenVideo("x", "x.mp4", "cannot be opened")
    batch = Collate("test", ["a"])([broken])
    assert len(batch["target"]) == 0
    assert batch["broken"] == [broken]


def test_views_of_a_video_stand_next_to_each_other(tmp_path: Path, make_videos: Make) -> None:
    root = make_videos(tmp_path / "videos", 1)
    sampler = WindowSampler(num_frames=4, strides=(1,), num_views=2)
    data = VideoDataset(records(root), sampler, [ResizeCrop(16)], training=False, seed=0)
    samples = [data[0, index] for index in range(2)]
    batch = Collate("test", ["a", "b"])(samples)
    assert batch["num_views"] == 2
    assert batch["video"].shape == (4, 4, 3, 16, 16)
    assert not isinstance(samples[1], BrokenVideo)
    assert torch.equal(batch["video"][2:], samples[1]["video"])
