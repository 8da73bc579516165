import dataclasses
import os
import pickle
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data_modules.batch import BrokenVideo
from data_modules.features.shards import stamp
from data_modules.features.store import FeatureStore, StoreWriter, pending
from tests.data_modules.features.small_stores import DIM, RECIPE, features_of, fill


@pytest.mark.parametrize("max_shard_bytes", [1, 300, 2**20])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_reads_what_was_written(
    tmp_path: Path, video: Path, dtype: Literal["float16", "float32"], max_shard_bytes: int
) -> None:
    recipe = dataclasses.replace(RECIPE, dtype=dtype)
    features = fill(tmp_path / "store", video, recipe=recipe, max_shard_bytes=max_shard_bytes)
    store = FeatureStore(tmp_path / "store", recipe)
    assert store.recipe == recipe
    assert len(store) == len(features)
    assert store.video_ids == sorted(features)
    for video_id, rows in features.items():
        expected = rows.numpy().astype(dtype).astype(np.float32)
        assert video_id in store
        assert store.read(video_id).dtype == torch.float32
        np.testing.assert_array_equal(store.read(video_id).numpy(), expected)
        picked = np.array([len(rows) - 1, 0, 0])
        np.testing.assert_array_equal(store.read(video_id, picked).numpy(), expected[picked])
        np.testing.assert_array_equal(store.times_sec(video_id), np.arange(len(rows)) / 25)
        assert store.num_frames(video_id) == len(rows)
        assert store.duration_sec(video_id) == len(rows) / 25


def test_what_is_read_is_a_copy(tmp_path: Path, video: Path) -> None:
    features = fill(tmp_path / "store", video, recipe=dataclasses.replace(RECIPE, dtype="float32"))
    store = FeatureStore(tmp_path / "store")
    store.read("3").zero_()
    store.times_sec("3")[:] = 9
    assert torch.equal(store.read("3"), features["3"])
    assert store.times_sec("3")[0] == 0


@pytest.mark.parametrize("max_shard_bytes", [100, 2**20])
def test_gather_equals_single_reads(tmp_path: Path, video: Path, max_shard_bytes: int) -> None:
    fill(tmp_path / "store", video, count=40, max_shard_bytes=max_shard_bytes)
    store = FeatureStore(tmp_path / "store")
    rng = np.random.default_rng(0)
    ids = [str(number) for number in rng.integers(40, size=64)]
    requests = [(video_id, rng.integers(store.num_frames(video_id), size=rng.integers(6))) for video_id in ids]
    expected = torch.cat([store.read(video_id)[torch.from_numpy(rows)] for video_id, rows in requests])
    assert torch.equal(store.gather(requests), expected)
    assert store.gather([]).shape == (0, DIM)


def test_gather_of_more_than_torch_converts_in_one_piece(tmp_path: Path, video: Path) -> None:
    features = torch.randn(9000, DIM).half()
    with StoreWriter(tmp_path / "store", RECIPE) as writer:
        writer.add("long", features, np.arange(9000) / 25, 360.0, video)
    assert torch.equal(FeatureStore(tmp_path / "store").read("long"), features.float())


@pytest.mark.parametrize("row", [-1, 3])
def test_rows_of_the_neighbouring_video_are_out_of_reach(tmp_path: Path, video: Path, row: int) -> None:
    fill(tmp_path / "store", video)
    with pytest.raises(IndexError, match=rf"'2' has 3 rows, none is row {row}"):
        FeatureStore(tmp_path / "store").gather([("5", np.array([0])), ("2", np.array([0, row]))])


def test_unknown_video_is_named(tmp_path: Path, video: Path) -> None:
    fill(tmp_path / "store", video)
    with pytest.raises(KeyError, match="no features of video 'nobody'"):
        FeatureStore(tmp_path / "store").read("nobody")


def test_rows_are_of_the_frames_on_screen(tmp_path: Path, video: Path) -> None:
    times = np.array([0.0, 0.1, 0.15, 1.0, 1.0 + 1 / 3])  # as in a video of variable frame rate
    with StoreWriter(tmp_path / "store", RECIPE) as writer:
        writer.add("a", features_of(0), times, 2.0, video)
    store = FeatureStore(tmp_path / "store")
    moments = np.array([-5.0, 0.0, 0.0999, 0.1, 0.149, 0.9, np.nextafter(1.0, 0), 1.2, np.float32(4 / 3), 99.0])
    rows = np.array([0, 0, 0, 1, 1, 2, 3, 3, 4, 4])
    np.testing.assert_array_equal(store.rows_at("a", moments), rows)
    np.testing.assert_array_equal(store.times_sec("a"), times)


def test_pending_and_what_supersedes_what(tmp_path: Path, video: Path) -> None:
    root = tmp_path / "store"
    other = tmp_path / "b.mp4"
    other.write_bytes(b"not a video")
    wanted = [("b", other), ("a", video), ("a", video)]
    times = np.arange(5) / 25

    def todo() -> list[str]:
        return pending(root, RECIPE, wanted)

    assert todo() == ["b", "a"]
    assert not root.exists()
    with StoreWriter(root, RECIPE, rank=7) as writer:  # names of later runs sort later, whatever their rank
        writer.add_broken(BrokenVideo("a", str(video), "for now"))
        writer.add("a", features_of(1), times, 0.2, video)
        writer.add("a", features_of(2), times, 0.2, video)
        writer.add("b", features_of(3), times, 0.2, other)
        writer.add_broken(BrokenVideo("b", str(other), "no video stream"))
    store = FeatureStore(root)
    assert torch.equal(store.read("a"), features_of(2).half().float())
    assert (len(store), "b" in store, list(store.broken)) == (1, False, ["b"])
    assert todo() == []

    os.utime(video, ns=(0, 0))  # same size, another time
    other.write_bytes(b"mended")
    assert store.source("a") != stamp(video)
    assert todo() == ["b", "a"]
    with StoreWriter(root, RECIPE) as writer:
        writer.add_broken(BrokenVideo("a", str(video), "truncated"))
        writer.add("b", features_of(4, 2), times[:2], 0.1, other)
    assert torch.equal(store.read("a"), features_of(2).half().float())  # as it was when opened
    store = FeatureStore(root)
    assert (store.video_ids, list(store.broken)) == (["b"], ["a"])
    assert torch.equal(store.read("b"), features_of(4, 2).half().float())
    assert todo() == []

    other.unlink()  # the features outlive the video: it may come back
    assert todo() == []
    assert store.source("b") != stamp(other)
    video.unlink()  # a broken one that is gone is another breakage
    assert todo() == ["a"]
    store.leave_out([BrokenVideo("b", str(other), "there is no such file"), BrokenVideo("nobody", "", "")])
    for same in (store, pickle.loads(pickle.dumps(store))):
        assert (same.video_ids, sorted(same.broken)) == ([], ["a", "b"])
    assert FeatureStore(root).video_ids == ["b"]


class Reads(Dataset[Tensor]):
    def __init__(self, store: FeatureStore) -> None:
        self.store = store

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> Tensor:
        return self.store.read(self.store.video_ids[index]).sum()


# https://github.com/python/cpython/pull/100229: forking beside torch's threads is warned of since Python 3.12.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_loader_workers_read_the_store(tmp_path: Path, video: Path) -> None:
    fill(tmp_path / "store", video, max_shard_bytes=200)
    store = FeatureStore(tmp_path / "store", RECIPE)
    expected = [store.read(video_id).sum() for video_id in store.video_ids]  # its maps are open when it is forked
    loader = DataLoader(Reads(store), batch_size=4, num_workers=2, multiprocessing_context="fork")
    assert torch.equal(torch.cat(list(loader)), torch.stack(expected))


def test_pickle_is_small_and_sees_the_same_videos(tmp_path: Path, video: Path) -> None:
    features = fill(tmp_path / "store", video, count=200)
    store = FeatureStore(tmp_path / "store", RECIPE)
    assert torch.equal(store.read("7"), features["7"].half().float())
    pickled = pickle.dumps(store)
    with StoreWriter(tmp_path / "store", RECIPE) as writer:
        writer.add("later", features_of(0), np.arange(5) / 25, 0.2, video)
    copy = pickle.loads(pickled)
    assert len(pickled) < 1000
    assert (copy.root, copy.recipe, copy.video_ids) == (store.root, store.recipe, store.video_ids)
    assert torch.equal(copy.read("7"), store.read("7"))
