from pathlib import Path

import pytest

from data_modules.errors import InputError
from data_modules.hmdb51 import HMDB51
from data_modules.moving_shapes import MovingShapes
from data_modules.protocols import BaseToNovel, ClosedSet, CrossDataset


def test_other_data_sets_are_for_cross_dataset_alone(tmp_path: Path) -> None:
    other = MovingShapes(tmp_path / "other")
    with pytest.raises(InputError, match=r"name them in data\.test_on"):
        _ = MovingShapes(tmp_path, protocol=CrossDataset()).trials
    with pytest.raises(InputError, match="and this is ClosedSet; drop one of them"):
        _ = MovingShapes(tmp_path, protocol=ClosedSet(), test_on=[other]).trials


def test_a_trial_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has trials 0 to 2"):
        _ = MovingShapes(tmp_path, protocol=BaseToNovel(), trial=3).trials
    with pytest.raises(InputError, match="has one trial, number 0"):
        _ = MovingShapes(tmp_path, trial=1).trials


def test_features_of_side_crops_are_for_testing_alone(tmp_path: Path) -> None:
    other = HMDB51(tmp_path)
    data = MovingShapes(tmp_path / "world", protocol=CrossDataset(), test_on=[other], num_crops=3, val_videos=1)
    apart = data.stored_apart()
    assert [len(records) for records in apart[data]] == [48 * 21, 48, 48]
    assert [len(set(records)) for records in apart[other]] == [len(apart[other][0])] * 3
    assert apart[other][0].keys() == apart[other][2].keys()
    assert data.owner_of("train") is data
