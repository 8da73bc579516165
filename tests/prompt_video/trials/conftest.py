"""Trials over a small feature store of random features."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.batch import Record
from data_modules.features.store import FeatureStore, Recipe, StoreWriter
from data_modules.loading.dataset import VideoDataset
from data_modules.loading.sampling import WindowSampler

NUM_STORED = 40


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    folder = tmp_path_factory.mktemp("features")
    generator = torch.Generator().manual_seed(0)
    video = folder / "video"
    video.touch()
    with StoreWriter(folder / "store", Recipe("random", "none", 24, 25.0, "none")) as writer:
        for number in range(NUM_STORED):
            writer.add(str(number), torch.randn(30, 24, generator=generator), np.arange(30) / 25, 30 / 25, video)
    return FeatureStore(folder / "store")


@pytest.fixture
def videos(store: FeatureStore) -> Callable[..., VideoDataset]:
    """A dataset of some of the stored videos, their targets in turn."""

    def make(first: int, count: int, num_classes: int, *, training: bool, seed: int = 0) -> VideoDataset:
        numbers = range(first, first + count)
        records = [Record(str(number), Path(), number % num_classes) for number in numbers]
        sampler = WindowSampler(num_frames=4, num_views=2)
        return VideoDataset(records, sampler, [store], training=training, seed=seed)

    return make
