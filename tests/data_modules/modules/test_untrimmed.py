from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data_modules.batch import Batch, Segment, UntrimmedRecord
from data_modules.errors import InputError
from data_modules.features.store import FeatureStore
from data_modules.loading.windows import SlidingWindows, WholeVideo
from data_modules.modules.untrimmed import UntrimmedDataModule
from data_modules.protocols import BaseToNovel, ClosedSet, FewShot, OpenSet, RandomHalves
from data_modules.protocols.protocol import Protocol
from data_modules.protocols.trial import DatasetIndex, Subset, Trial

ON_CPU = SimpleNamespace(root_device=torch.device("cpu"))

Fill = Callable[[Mapping[str, tuple[np.ndarray, float]], float | None], FeatureStore]

RATE = 10.0
NAMES = ("cut", "dive", "eat", "fall")
SEGMENTS = ((1.0, 2.0, 0), (3.0, 4.0, 1), (5.0, 6.0, 2), (7.0, 8.0, 3))


class Toy(UntrimmedDataModule):
    """Twenty videos to train on and five to test, each longer than the one before; all of them show all classes."""

    def scan(self) -> DatasetIndex:
        train, test = self.records("train", 20), self.records("test", 5)
        dataset_index = DatasetIndex(NAMES, {"train": train, "test": test})
        return DatasetIndex(NAMES, dataset_index.records, published={"open_set": lambda: halves(dataset_index)})

    def records(self, split: str, count: int) -> list[UntrimmedRecord]:
        segments = tuple(Segment(*segment) for segment in SEGMENTS)
        return [UntrimmedRecord(f"{split}{n}", self.root / f"{split}{n}", segments=segments) for n in range(count)]


def halves(dataset_index: DatasetIndex) -> Sequence[Trial]:
    """Three trials; each leaves out two classes that stand next to each other."""
    trials = []
    for first in range(3):
        unseen = NAMES[first : first + 2]
        train = dataset_index.subset("train").only([name for name in NAMES if name not in unseen])
        trials.append(Trial(f"without {first}", train, {"test": dataset_index.subset("test").only(unseen)}))
    return trials


def durations() -> dict[str, float]:
    return {f"{split}{n}": 8.0 + n for split, count in (("train", 20), ("test", 5)) for n in range(count)}


def opened(root: Path, fill: Fill, lacking: Sequence[str] = (), **options: Any) -> Toy:  # noqa: ANN401
    data = Toy(
        root, windows=SlidingWindows(32), **{"features": "a store", "num_workers": 0, "batch_size": 4, **options}
    )
    videos = {name: sec for name, sec in durations().items() if name not in lacking}
    data.stores = [fill({v: ((np.arange(sec * RATE) + 0.5) / RATE, sec) for v, sec in videos.items()}, RATE)]
    return data


def ids(subset: Subset) -> list[str]:
    return [record.video_id for record in subset.records]


@pytest.mark.parametrize("protocol", [FewShot(), BaseToNovel(), RandomHalves()])
def test_protocols_of_trimmed_videos_are_refused(tmp_path: Path, protocol: Protocol) -> None:
    name = type(protocol).__name__
    with pytest.raises(InputError, match=rf"^data\.protocol: {name} is for trimmed videos; localization has Closed"):
        Toy(tmp_path, protocol=protocol)


def test_features_cannot_be_off(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^data\.features is off, and localization reads stored features; set it to"):
        Toy(tmp_path, features="off")


def test_a_store_must_be_open(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"data\.features is 'auto', but no feature store is open"):
        Toy(tmp_path).train_dataloader()


def test_a_few_videos_that_the_store_lacks_are_counted(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store, ["train3", "train7", "test0"], max_broken_fraction=0.2)
    for stage in ("fit", "test"):  # of each is spoken once
        data.setup(stage)
    dropped = {name: sorted(videos) for name, videos in data.dropped_videos.dropped.items()}
    assert dropped == {"train": ["train3", "train7"], "test": ["test0"]}
    lost = data.dropped_videos.dropped["train"]["train3"]
    assert (lost.path, lost.reason) == (str(tmp_path / "train3"), f"the feature store {tmp_path / 'store'} lacks it")
    assert data.dropped_videos.totals == {"train": 20, "test": 5}
    (loader,) = data.test_dataloader()
    assert {v for batch in loader for v in batch["video_id"]} == {"test1", "test2", "test3", "test4"}
    assert {v for batch in data.train_dataloader() for v in batch["video_id"]} == {
        f"train{n}" for n in range(20) if n not in (3, 7)
    }


def test_a_store_that_lacks_many_videos_is_the_wrong_one(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store, ["train3", "train7", "train8"], max_broken_fraction=0.1)
    with pytest.raises(
        InputError, match=r"lacks 3 of the 20 videos of split 'train', the first being train3; run with data\.features="
    ):
        data.setup("fit")
    assert not any(data.dropped_videos.dropped.values())


def test_a_part_without_an_action_to_train_on(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store)
    nothing = [replace(record, segments=(Segment(9.0, 2.0, 0),)) for record in data.records("train", 20)]
    data._dataset_index = DatasetIndex(NAMES, {"train": nothing, "test": data.records("test", 5)})
    with pytest.raises(InputError, match=r"no video of split 'train' of .* shows an action that can be trained on"):
        data.train_dataloader()
    assert len(data.test_dataloader()) == 1


def test_all_windows_are_tested_and_those_with_actions_trained_on(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store)
    expected = [
        (name, window.origin_sec)
        for name, sec in durations().items()
        if name.startswith("test")
        for window in SlidingWindows(32).cover(sec, RATE)
    ]
    for loader in (*data.test_dataloader(), *data.predict_dataloader()):
        tested = [result for batch in loader for result in zip(batch["video_id"], origins(batch), strict=True)]
        assert [video_id for video_id, _ in tested] == [video_id for video_id, _ in expected]
        assert [origin for _, origin in tested] == pytest.approx([origin for _, origin in expected])
    trained = list(data.train_dataloader())
    assert all(batch["text"] == list(NAMES) and batch["subset"] == "train" for batch in trained)
    trained_actions = {
        (v, int(target))
        for batch in trained
        for v, targets in zip(batch["video_id"], batch["windows"]["segment_targets"], strict=True)
        for target in targets
    }
    assert trained_actions == {(f"train{n}", target) for n in range(20) for target in range(4)}


def origins(batch: Batch) -> list[float]:
    return batch["windows"]["origin_sec"].tolist()


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_test_whole_videos(
    tmp_path: Path, numbered_store: Fill, monkeypatch: pytest.MonkeyPatch, world_size: int
) -> None:
    data = opened(tmp_path, numbered_store)
    (loader,) = data.test_dataloader()
    expected = sorted((v, at) for b in loader for v, at in zip(b["video_id"], origins(b), strict=True))
    result: list[tuple[str, float]] = []
    for rank in range(world_size):
        monkeypatch.setattr(data, "trainer", SimpleNamespace(strategy=ON_CPU, global_rank=rank, world_size=world_size))
        (loader,) = data.test_dataloader()
        mine = [(v, at) for b in loader for v, at in zip(b["video_id"], origins(b), strict=True)]
        lasts = [last for b in loader for last in b["windows"]["is_last"]]
        videos = {v for v, _ in mine}
        assert not videos & {v for v, _ in result}
        assert sum(lasts) == len(videos)
        result += mine
    assert sorted(result) == expected


def test_training_of_an_open_set_sees_no_unseen_class(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store, protocol=OpenSet(train_classes=["fall", "cut"]))
    (trial,) = data.trials
    assert (len(trial.train.records), trial.tests["test"].class_names) == (20, ("dive", "eat"))
    masked = 0
    for batch in data.train_dataloader():
        for row, mask in enumerate(batch["mask"]):
            moments = batch["time_sec"][row]
            inside = ((moments > 3) & (moments < 4)) | ((moments > 5) & (moments < 6))
            assert torch.equal(mask, ~inside)
            assert not batch["features"][row][inside].any()
            assert set(batch["windows"]["segment_targets"][row].tolist()) <= {0, 1}
            masked += int(inside.sum())
    assert masked > 100
    (loader,) = data.test_dataloader()
    assert all(batch["mask"].all() and batch["text"] == ["dive", "eat"] for batch in loader)


def test_one_trial_alone(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store, ["train0"], protocol=OpenSet(), seed=5, max_broken_fraction=0.1)
    assert len(data.trials) == 3
    alone = data.alone(2)
    assert isinstance(alone, Toy)
    assert alone.trials == [data.trials[2]]
    assert alone.stores is data.stores
    assert alone.dropped_videos is data.dropped_videos
    assert len(data.trials) == 3
    assert data.trial is None
    assert [data.alone(n).seed_of(0) for n in range(3)] == [data.seed_of(n) for n in range(3)]
    assert len({data.seed_of(n) for n in range(3)}) == 3
    assert data.seed_of(0) == 5
    assert alone.class_names == ["cut", "dive"]
    for stage in ("fit", "test"):
        alone.setup(stage)
    assert list(data.dropped_videos.dropped["train"]) == ["train0"]
    drawn = data.dataset("train", training=True, number=2)
    own = alone.dataset("train", training=True)
    assert len(drawn) == len(own) > 0
    assert drawn.seed == data.seed_of(2)
    assert [drawn[3, n]["window"] for n in range(len(own))] == [own[3, n]["window"] for n in range(len(own))]
    assert next(iter(alone.train_dataloader()))["text"] == list(data.trials[2].train.class_names)
    assert next(iter(alone.test_dataloader()[0]))["text"] == ["eat", "fall"]


def test_a_trial_that_is_named_keeps_its_seed(tmp_path: Path, numbered_store: Fill) -> None:
    every = opened(tmp_path, numbered_store, protocol=OpenSet(), seed=5)
    named = opened(tmp_path, numbered_store, protocol=OpenSet(), seed=5, trial=2)
    assert named.trials == [every.trials[2]]
    assert named.alone(0).trials == named.trials
    assert named.seed_of(0) == named.alone(0).seed_of(0) == every.seed_of(2)


def test_batches_move_to_a_device_whole(tmp_path: Path, numbered_store: Fill) -> None:
    data = opened(tmp_path, numbered_store)
    batch = next(iter(data.train_dataloader()))
    moved: Any = data.transfer_batch_to_device(batch, torch.device("meta"), 0)
    windows = moved["windows"]
    tensors = [moved["features"], moved["mask"], moved["time_sec"], moved["target"], windows["origin_sec"]]
    tensors += [windows["own_sec"], *windows["segments_sec"], *windows["segment_targets"], *windows["ignored_sec"]]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert (moved["text"], moved["video_id"], moved["subset"]) == (batch["text"], batch["video_id"], "train")
    assert windows["is_last"] == batch["windows"]["is_last"]
    assert batch["mask"].device.type == "cpu"


def test_words_for_the_summary(tmp_path: Path) -> None:
    words = Toy(tmp_path, windows=WholeVideo(96), protocol=ClosedSet()).describe_protocol()
    assert words.startswith("closed set: all 4 classes are seen in training; 20 train, 5 test videos.")
    assert words.endswith("Videos are seen as 96 frames spread over each video.")


def test_times_are_held_against_the_videos(
    tmp_path: Path, numbered_store: Fill, caplog: pytest.LogCaptureFixture
) -> None:
    data = opened(tmp_path, numbered_store, [])
    for stage in ("fit", "test"):
        data.setup(stage)
    assert not caplog.text
    subset = data.trials[0].subsets["test"]
    videos = [record for record in subset.records if isinstance(record, UntrimmedRecord)]
    said = tuple(replace(video, duration_sec=999.0) for video in videos)
    data._trials = [replace(data.trials[0], tests={"test": replace(subset, records=said)})]
    for stage in ("fit", "test"):
        data.setup(stage)
    assert caplog.text.count("5 videos of another duration than annotated: test0, 999 s annotated and ") == 1
    frames = tuple(replace(video, segments=(Segment(500.0, 700.0, 0),)) for video in videos)
    data._trials = [replace(data.trials[0], tests={"test": replace(subset, records=frames)})]
    with pytest.raises(InputError, match=r"in 5 of 5 videos most segments lie after the end.*Are the times frames"):
        data.setup("test")
