from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules import MovingShapes
from data_modules.errors import InputError
from data_modules.synthetic.rendering import FRAME_RATE, NUM_FRAMES, render, video_seed, write_mp4
from data_modules.synthetic.shapes import EXTRA_MOTIONS, MOTIONS, SHAPES, sample_trajectories
from data_modules.video.decoding import VideoReader


def small(root: Path, world_seed: int = 0) -> MovingShapes:
    return MovingShapes(root, train_videos=1, val_videos=0, test_videos=0, world_seed=world_seed, num_workers=0)


def test_the_same_seed_draws_the_same_frames_and_another_does_not() -> None:
    first, again, other = render("star", "growing", 5), render("star", "growing", 5), render("star", "growing", 6)
    assert torch.equal(first.frames, again.frames)
    assert not torch.equal(first.frames, other.frames)
    assert video_seed("a", 1) == video_seed("a", 1) != video_seed("a", 2)


@pytest.mark.parametrize("motion", MOTIONS + EXTRA_MOTIONS)
def test_motions_do_what_they_say(motion: str) -> None:
    scene = sample_trajectories([motion] * 50, torch.Generator().manual_seed(0)).at(torch.linspace(0, 1, 20)[None])
    moved = scene.center[:, -1] - scene.center[:, 0]
    expected = {"moving left": (0, -1), "moving right": (0, 1), "moving up": (1, -1), "moving down": (1, 1)}
    if motion in expected:
        axis, sign = expected[motion]
        assert (moved[:, axis] * sign > 0.3).all()
    growth = scene.radius[:, -1] / scene.radius[:, 0]
    assert (growth > 1.5).all() == (motion == "growing")
    assert (growth < 0.7).all() == (motion == "shrinking")
    assert ((scene.tilt[:, -1] - scene.tilt[:, 0]).abs() > 3).all() == (motion == "spinning")
    assert (scene.opacity.amin(1) < 0.5).all() == (motion == "blinking")
    assert scene.center.min() > 0
    assert scene.center.max() < 1


def test_a_world_is_rendered_once_and_mended(tmp_path: Path) -> None:
    data = small(tmp_path)
    data.prepare_data()
    records = data.dataset_index.records["train"]
    assert len(data.class_names) == len(set(data.class_names)) == len(SHAPES) * len(MOTIONS) == 48
    assert [record.target for record in records] == list(range(48))
    assert data.class_names[0] == "a square moving left"
    kept, lost = records[0].path, records[1].path
    before, times = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    small(tmp_path).prepare_data()
    assert lost.read_bytes() == before
    assert kept.stat().st_mtime_ns == times
    with pytest.raises(InputError, match="holds another world"):
        small(tmp_path, world_seed=1).prepare_data()


def test_files_are_what_was_drawn(tmp_path: Path) -> None:
    data = small(tmp_path)
    data.prepare_data()
    record = data.dataset_index.records["train"][0]
    drawn = render("square", "moving left", video_seed(0, "train", "square", "moving left", 0)).frames
    with VideoReader(record.path) as reader:
        decoded = torch.stack([frame for frame, _ in reader.frames()])
        assert reader.timeline.frame_rate == pytest.approx(FRAME_RATE)
    assert decoded.shape == drawn.shape == (NUM_FRAMES, 3, 96, 96)
    error = (decoded.float() - drawn.float()).square().mean().item()
    assert 10 * np.log10(255**2 / error) > 30  # dB: encoded, but well


def test_equal_frames_give_equal_files(tmp_path: Path) -> None:
    """Encoded again and again: rate control would give another file now and then."""
    for shape, motion in (("square", "moving left"), ("star", "spinning"), ("moon", "blinking")):
        frames = render(shape, motion, 0).frames
        for number in range(8):
            write_mp4([frames], tmp_path / f"{number}.mp4")
        assert len({(tmp_path / f"{number}.mp4").read_bytes() for number in range(8)}) == 1
