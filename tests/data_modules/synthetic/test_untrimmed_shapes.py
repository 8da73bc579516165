import json
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from data_modules.annotations.activitynet_format import read_ground_truth
from data_modules.batch import UntrimmedRecord
from data_modules.errors import InputError
from data_modules.protocols import OpenSet
from data_modules.protocols.trial import SPLITS, DatasetIndex, Subset
from data_modules.synthetic.moving_shapes import MovingShapes, fold_of
from data_modules.synthetic.rendering import FRAME_RATE, video_seed
from data_modules.synthetic.shapes import MOTIONS, SHAPES, class_name
from data_modules.synthetic.untrimmed_shapes import UntrimmedShapes
from data_modules.synthetic.video_script import play, write_video_script
from data_modules.video.decoding import VideoReader

PAIRS = {class_name(shape, motion): (shape, motion) for shape in SHAPES for motion in MOTIONS}
COUNTS = {"train": 3, "val": 1, "test": 2}


def world(root: Path, world_seed: int = 0, test_videos: int = COUNTS["test"]) -> UntrimmedShapes:
    data = UntrimmedShapes(root, COUNTS["train"], COUNTS["val"], test_videos, world_seed)
    data.prepare_data()
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> UntrimmedShapes:
    return world(tmp_path_factory.mktemp("untrimmed_shapes"))


def records(subset: Subset) -> Iterator[UntrimmedRecord]:
    for record in subset.records:
        assert isinstance(record, UntrimmedRecord)
        yield record


def everything(dataset_index: DatasetIndex) -> list[UntrimmedRecord]:
    return [record for split in SPLITS for record in records(dataset_index.subset(split))]


def decoded(path: Path) -> tuple[Tensor, float]:
    """All frames (T, 3, H, W), and how long they last."""
    with VideoReader(path) as reader:
        return torch.stack([frame for frame, _ in reader.frames()]).float(), reader.timeline.duration_sec


def background_of(frames: Tensor) -> Tensor:
    """What a pixel shows most of the time: no shape stays anywhere for long."""
    return frames.median(dim=0).values


def test_the_annotation_says_what_the_records_say(data: UntrimmedShapes) -> None:
    dataset_index = data.dataset_index
    assert list(dataset_index.class_names) == list(PAIRS)
    videos = read_ground_truth(data.root / "annotations.json")
    assert list(videos) == [record.video_id for record in everything(dataset_index)]
    assert [len(dataset_index.subset(split).records) for split in SPLITS] == list(COUNTS.values())
    for split, subset in (("train", "training"), ("val", "validation"), ("test", "testing")):
        for record in records(dataset_index.subset(split)):  # type: ignore[arg-type]
            video = videos[record.video_id]
            assert (video.subset, video.duration_sec) == (subset, record.duration_sec)
            assert [(a.start_sec, a.end_sec, a.label) for a in video.annotations] == [
                (s.start_sec, s.end_sec, dataset_index.class_names[s.target]) for s in record.segments
            ]
            assert not record.hidden_sec
            assert not record.ambiguous_sec


def test_videos_last_as_long_as_is_said_and_segments_lie_in_them(data: UntrimmedShapes) -> None:
    for record in everything(data.dataset_index):
        frames, duration_sec = decoded(record.path)
        assert frames.shape[1:] == (3, 96, 96)
        assert record.duration_sec == pytest.approx(duration_sec, abs=1e-6)
        assert len(frames) == pytest.approx(duration_sec * FRAME_RATE)
        assert 4 <= len(record.segments) <= 7
        for segment in record.segments:
            assert 0 < segment.start_sec < segment.end_sec < duration_sec
            assert segment.start_sec * FRAME_RATE == pytest.approx(round(segment.start_sec * FRAME_RATE))
        assert all(one.end_sec < other.start_sec for one, other in pairwise(record.segments))


def test_segments_show_what_they_say(data: UntrimmedShapes) -> None:
    """By the pixels alone: the shape is what differs from the background."""
    visible: set[str] = set()
    for record in everything(data.dataset_index):
        frames, _ = decoded(record.path)
        away = (frames - background_of(frames)).abs().amax(1)
        for segment in record.segments:
            start, end = round(segment.start_sec * FRAME_RATE), round(segment.end_sec * FRAME_RATE)
            motion = PAIRS[data.dataset_index.class_names[segment.target]][1]
            assert_looks_like(motion, away[start:end])
            visible.add(motion)
    assert visible == set(MOTIONS)


def assert_looks_like(motion: str, away: Tensor) -> None:
    """Whether the pixels away from the background, (T, H, W), do what a motion's name says."""
    shape = (away > 25).float()
    area = shape.sum((1, 2))
    if motion == "blinking":
        light = away.amax((1, 2))
        assert light.amax() > 2 * light.amin()
        return
    assert area.amin() > 20
    axis = torch.arange(96.0)
    x, y = (shape.sum(1) * axis).sum(1) / area, (shape.sum(2) * axis).sum(1) / area
    moved = {"left": x[0] - x[-1], "right": x[-1] - x[0], "up": y[0] - y[-1], "down": y[-1] - y[0]}
    said = motion.removeprefix("moving ")
    for direction, pixels in moved.items():
        assert (pixels > 25) == (direction == said)
    growth = float(area[-1] / area[0])
    assert (growth > 2) == (motion == "growing")
    assert (growth < 0.5) == (motion == "shrinking")
    if motion == "spinning":  # other pixels at each moment, though it stays where it is
        assert (shape[1:] != shape[:-1]).float().sum((1, 2)).mean() > 10


def test_files_are_what_was_drawn(data: UntrimmedShapes) -> None:
    empty = 0
    for number, record in enumerate(records(data.dataset_index.subset("train"))):
        frames, _ = decoded(record.path)
        classes = [pair for pair in PAIRS.values() if fold_of(*pair) == number % 3]
        video_script = write_video_script(classes, video_seed(0, "untrimmed", "train", number))
        drawn = torch.cat(list(play(video_script))).float()
        assert drawn.shape == frames.shape
        error = (frames - drawn).square().mean((1, 2, 3))
        assert 10 * np.log10(255**2 / error.mean().item()) > 30  # dB: encoded, but well
        assert 10 * np.log10(255**2 / error.amax().item()) > 25
        background, start = background_of(frames), 0
        for piece in video_script.pieces:
            if not piece.shape:
                gap = frames[start : start + piece.num_frames]
                assert (gap - background).abs().mean() < 2
                assert (gap - background).abs().amax() < 40
                empty += 1
            start += piece.num_frames
    assert empty > 3


def test_the_same_seed_gives_the_same_files_and_a_killed_rendering_goes_on(
    data: UntrimmedShapes, tmp_path: Path
) -> None:
    files = sorted(path.relative_to(data.root) for path in data.root.rglob("*") if path.is_file())
    assert len(files) == sum(COUNTS.values()) + 2
    half = world(tmp_path, test_videos=1)  # as if it had been killed
    assert len(read_ground_truth(tmp_path / "annotations.json")) == 5
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mp4")}
    (tmp_path / "test" / f".001.mp4.0a.4194305@{socket.gethostname()}.tmp").write_bytes(b"half a video")
    whole = world(tmp_path)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()) == files
    for file in files:
        assert (tmp_path / file).read_bytes() == (data.root / file).read_bytes()
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert half.dataset_index.records["train"] == whole.dataset_index.records["train"]


def test_another_world_is_refused(data: UntrimmedShapes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds another world .*; name another data\.root"):
        world(data.root, world_seed=1)
    with pytest.raises(InputError, match="holds another world"):
        MovingShapes(data.root).prepare_data()
    other = UntrimmedShapes(tmp_path, COUNTS["train"], COUNTS["val"], COUNTS["test"], world_seed=1).scan()
    pairs = zip(everything(data.dataset_index), everything(other), strict=True)
    assert all(one.segments != two.segments for one, two in pairs)


def test_an_annotation_that_was_changed_is_mended(tmp_path: Path) -> None:
    data = UntrimmedShapes(tmp_path, 1, 0, 1)
    data.prepare_data()
    text = (tmp_path / "annotations.json").read_text()
    (tmp_path / "annotations.json").write_text(json.dumps({"database": {}}))
    data.prepare_data()
    assert (tmp_path / "annotations.json").read_text() == text


def test_each_class_is_unseen_in_one_fold(tmp_path: Path) -> None:
    data = UntrimmedShapes(tmp_path, 12, 3, 6, protocol=OpenSet())  # of which no file is needed
    dataset_index, trials = data.dataset_index, data.trials
    assert [trial.name for trial in trials] == ["fold 0", "fold 1", "fold 2"]
    unseen = [name for trial in trials for name in trial.tests["test"].class_names]
    assert sorted(unseen) == sorted(dataset_index.class_names)
    tested = [record.video_id for trial in trials for record in trial.tests["test"].records]
    assert len(tested) == len(set(tested)) == 6
    for trial in trials:
        seen, test = trial.train.class_names, trial.tests["test"]
        assert sorted((*seen, *test.class_names)) == sorted(dataset_index.class_names)
        for shape in SHAPES:  # every shape and every motion is seen: what is new is the two together
            assert any(PAIRS[name][0] == shape for name in seen)
        for motion in MOTIONS:
            assert any(PAIRS[name][1] == motion for name in seen)
        assert trial.val is not None
        assert trial.val.class_names == seen
        assert 0 < len(test.records) < 6


def test_no_training_video_shows_an_unseen_class(tmp_path: Path) -> None:
    data = UntrimmedShapes(tmp_path, 12, 3, 6, protocol=OpenSet())
    listed = {record.video_id: record for record in everything(data.dataset_index)}
    for trial in data.trials:
        assert trial.train.records
        for record in records(trial.train):
            for segment in listed[record.video_id].segments:
                name = data.dataset_index.class_names[segment.target]
                hidden = (segment.start_sec, segment.end_sec) in record.hidden_sec
                assert hidden == (name not in trial.train.class_names)
            kept = [trial.train.class_names[segment.target] for segment in record.segments]
            assert kept == [
                name
                for segment in listed[record.video_id].segments
                if (name := data.dataset_index.class_names[segment.target]) in trial.train.class_names
            ]
