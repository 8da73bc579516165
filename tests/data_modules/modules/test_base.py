from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data_modules.batch import BrokenVideo
from data_modules.errors import InputError
from data_modules.features.store import FeatureStore, StoreWriter
from data_modules.loading.dataset import KeyedDataset
from data_modules.protocols import BaseToNovel
from data_modules.synthetic.moving_shapes import MovingShapes

ON_CPU = SimpleNamespace(root_device=torch.device("cpu"))

Fill = Callable[[Mapping[str, tuple[np.ndarray, float]], float | None], FeatureStore]


def opened(root: Path, fill: Fill, lacking: int = 0, broken: int = 0, **options: Any) -> MovingShapes:  # noqa: ANN401
    """All training videos of a world in which the store lacks the first few and holds the next ones as broken."""
    data = MovingShapes(root, 2, 0, 1, features="a store", num_workers=0, **options)
    ids = [record.video_id for split in ("train", "test") for record in data.dataset_index.records[split]]
    fill({video_id: (np.arange(32) / 12, 32 / 12) for video_id in ids[lacking + broken :]}, None)
    with StoreWriter(root / "store", FeatureStore(root / "store").recipe) as writer:
        for video_id in ids[lacking : lacking + broken]:
            writer.add_broken(BrokenVideo(video_id, f"{video_id} of the store", "no video stream"))
    data.stores = [FeatureStore(root / "store")]
    return data


def times(dataset: KeyedDataset[Any]) -> list[list[list[float]]]:
    """What a few draws look at."""
    samples = dataset.__getitems__([(0, 0), (0, 5), (3, 5)])
    return [sample["time_sec"].tolist() for sample in samples if not isinstance(sample, BrokenVideo)]


def test_a_trial_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has trials 0 to 2"):
        _ = MovingShapes(tmp_path, protocol=BaseToNovel(), trial=3).trials
    with pytest.raises(InputError, match="has one trial, number 0"):
        _ = MovingShapes(tmp_path, trial=1).trials


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"num_workers": -1}, {"max_broken_fraction": 1.5}, {"max_broken_fraction": -0.1}]
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^data: batch_size must be 1 or more, num_workers 0 or more, max_broken_"):
        MovingShapes(tmp_path, **options)


def test_what_a_store_lacks_and_what_is_broken_in_it_count_together(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store, lacking=2, broken=2, max_broken_fraction=0.05)  # 4 of 96 videos
    data.setup("fit")
    reasons = [lost.reason for lost in data.dropped_videos.dropped["train"].values()]
    assert reasons == [f"the feature store {tmp_path / 'store'} lacks it"] * 2 + ["no video stream"] * 2
    records, stores = data.usable("train", training=True)
    assert len(records) == 92
    assert stores == data.stores
    assert not {record.video_id for record in records} & set(data.dropped_videos.dropped["train"])


def test_few_that_are_lacking_and_few_that_are_broken_may_be_too_many(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store, lacking=3, broken=3, max_broken_fraction=0.05)  # 6 of 96 videos
    with pytest.raises(InputError, match="6 of the 96 videos of split 'train' cannot be used, more than the share of"):
        data.setup("fit")


def test_many_that_are_lacking_mean_another_store(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store, lacking=5, max_broken_fraction=0.05)
    with pytest.raises(InputError, match=r"lacks 5 of the 96 videos of split 'train'.*a greater data\.max_broken_frac"):
        data.setup("fit")


def test_no_video_is_left(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store, lacking=96)
    with pytest.raises(InputError, match=rf"split 'train' of {tmp_path} has no videos"):
        data.usable("train", training=True)


def test_a_trial_alone_has_the_draws_of_that_trial(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store, protocol=BaseToNovel(), seed=7)
    for number, trial in enumerate(data.trials):
        alone = data.alone(number)
        assert list(alone.trials) == [trial]
        assert alone.seed_of(0) == data.seed_of(number)
        assert (alone.stores, alone.dropped_videos) == (data.stores, data.dropped_videos)
        together, apart = data.dataset("train", training=True, number=number), alone.dataset("train", training=True)
        assert times(together) == times(apart)
        assert next(iter(alone.train_dataloader()))["text"] == list(trial.train.class_names)
    assert len({data.seed_of(number) for number in range(3)}) == 3
    assert (data.trial, len(data.trials)) == (None, 3)


@pytest.mark.parametrize("world_size", [1, 3])
def test_every_video_is_tested_once_over_all_processes(
    tmp_path: Path, numbered_store: Fill, monkeypatch: pytest.MonkeyPatch, world_size: int
) -> None:
    data = opened(tmp_path, numbered_store, batch_size=10)
    result: list[str] = []
    for rank in range(world_size):
        monkeypatch.setattr(data, "trainer", SimpleNamespace(strategy=ON_CPU, global_rank=rank, world_size=world_size))
        (loader,) = data.test_dataloader()
        result += [video_id for batch in loader for video_id in batch["video_id"]]
    assert sorted(result) == sorted(record.video_id for record in data.trials[0].tests["test"].records)


def test_more_processes_than_videos_are_refused_on_all_of_them(
    tmp_path: Path, numbered_store: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(tmp_path, numbered_store)
    for rank in (0, 48):
        monkeypatch.setattr(data, "trainer", SimpleNamespace(strategy=ON_CPU, global_rank=rank, world_size=49))
        with pytest.raises(InputError, match=r"split 'test' has too little for 49 processes; use at most 48 devices\."):
            data.test_dataloader()
