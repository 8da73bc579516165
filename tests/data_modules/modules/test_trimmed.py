from pathlib import Path

import pytest

from data_modules.data_sets.hmdb51 import HMDB51
from data_modules.data_sets.video_folder import VideoFolder
from data_modules.errors import InputError
from data_modules.loading.sampling import SegmentSampler
from data_modules.loading.transforms import ResizeCrop
from data_modules.protocols import ClosedSet, CrossDataset
from data_modules.synthetic.moving_shapes import MovingShapes


def test_other_data_sets_are_for_cross_dataset_alone(tmp_path: Path) -> None:
    other = MovingShapes(tmp_path / "other")
    with pytest.raises(InputError, match=r"name them in data\.test_on"):
        _ = MovingShapes(tmp_path, protocol=CrossDataset()).trials
    with pytest.raises(InputError, match="and this is ClosedSet; drop one of them"):
        _ = MovingShapes(tmp_path, protocol=ClosedSet(), test_on=[other]).trials


def test_features_of_side_crops_are_for_testing_alone(tmp_path: Path) -> None:
    other = HMDB51(tmp_path)
    data = MovingShapes(tmp_path / "world", protocol=CrossDataset(), test_on=[other], num_crops=3, val_videos=1)
    apart = data.stored_apart()
    assert [len(records) for records in apart[data]] == [48 * 21, 48, 48]
    assert [len(set(records)) for records in apart[other]] == [len(apart[other][0])] * 3
    assert apart[other][0].keys() == apart[other][2].keys()
    assert data.owner_of("train") is data


def test_other_data_sets_are_looked_at_in_the_same_way(tmp_path: Path) -> None:
    other = MovingShapes(tmp_path / "other", test_videos=2, seed=1, num_workers=5, frame_rate=3.0, batch_size=7)
    sampler = SegmentSampler(num_frames=4, num_views=2)
    data = MovingShapes(
        tmp_path / "world",
        protocol=CrossDataset(),
        test_on=[other],
        sampler=sampler,
        num_crops=3,
        features="off",
        features_root=tmp_path / "features",
        frame_rate=6.0,
        num_workers=0,
        seed=9,
    )
    assert other.sampler is sampler
    assert (other.crops, other.frame_rate, other.features) == (data.crops, 6.0, "off")
    assert (other.features_root, other.num_workers, other.seed) == (tmp_path / "features", 0, 9)
    (trial,) = data.trials
    assert {name: len(subset.records) for name, subset in trial.tests.items()} == {"other": 96}
    assert data.owner_of("other") is other
    assert data.owner_of("train") is data.owner_of("val") is data


def test_crops_and_views_in_words_and_in_samples(tmp_path: Path) -> None:
    sampler = SegmentSampler(num_frames=4, num_views=2)
    data = MovingShapes(
        tmp_path, 0, 0, 1, sampler=sampler, num_crops=3, features="off", preprocessing=ResizeCrop(32), num_workers=0
    )
    words = "Tested on 2 views of 4 frames spread over the whole video, 3 crops each; probabilities are averaged over"
    assert data.describe_views().startswith(words)
    records, stores = data.usable("test", training=False)
    assert (len(records), stores) == (48, [])
    tested = data.dataset("test", training=False)
    assert [crop.shape for crop in tested.crops] == [(32, 32)] * 3
    assert len(data.dataset("test", training=True).crops) == 1


def test_two_data_sets_of_one_name_have_no_test_of_one_name(tmp_path: Path) -> None:
    for name in ("train/a/1.mp4", "test/a/2.mp4"):
        for root in ("one/videos", "other/videos"):
            (tmp_path / root / name).parent.mkdir(parents=True)
            (tmp_path / root / name).touch()
    one, other = (VideoFolder(tmp_path / root / "videos") for root in ("one", "other"))
    world = MovingShapes(tmp_path / "world", protocol=CrossDataset(), test_on=[one, other])
    with pytest.raises(InputError, match=r"the folders .*one/videos and .*other/videos have one name"):
        _ = world.trials
