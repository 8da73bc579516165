"""A store of very many videos, in as many shards as theirs would be."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.features.shards import Shard, write_shard
from data_modules.features.store import FeatureStore, Recipe, StoreWriter

RECIPE = Recipe("tiny", "abcd", 2, 2.5, "resize 32, centre crop")
IN_A_SHARD = 500  # of ten seconds each, with 512 numbers a frame and 25 frames a second


def ones() -> np.ndarray:
    return np.ones(IN_A_SHARD, np.int64)


@pytest.mark.slow
def test_a_tenth_of_kinetics_opens_at_once_and_small(tmp_path: Path) -> None:
    """650,000 videos took 0.5 s and 170 MiB: 260 bytes each, of which the names are the most."""
    count = 65_000
    StoreWriter(tmp_path, RECIPE)
    for first in range(0, count, IN_A_SHARD):
        names = [f"k700/train/a class/video_{first + n:07d}_000010_000020.mp4" for n in range(IN_A_SHARD)]
        shard = Shard(names, ones(), np.ones(IN_A_SHARD), ones(), ones(), [])
        rows = torch.arange(first, first + IN_A_SHARD).remainder(1000).to(torch.float16)
        features = rows[:, None].expand(-1, RECIPE.dim).contiguous()
        write_shard(tmp_path, f"shard-000001-00000-00000000-{first:06d}", RECIPE, shard, features, np.zeros(IN_A_SHARD))
    FeatureStore(tmp_path)  # reads every byte, once
    began = time.process_time()
    store = FeatureStore(tmp_path)
    assert time.process_time() - began < 2.0
    assert len(store) == count
    number = 64_321
    video_id = f"k700/train/a class/video_{number:07d}_000010_000020.mp4"
    assert store.read(video_id).tolist() == [[number % 1000.0] * 2]
    tracemalloc.start()
    again = FeatureStore(tmp_path)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(again) == count
    assert held / count < 400
    assert most / count < 500
