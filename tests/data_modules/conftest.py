from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.features.store import FeatureStore, Recipe, StoreWriter


@pytest.fixture
def numbered_store(tmp_path: Path) -> Callable[[Mapping[str, tuple[np.ndarray, float]], float | None], FeatureStore]:
    """Fill a store with videos, given by their frame times and durations, and open it.

    Features tell what they are of: the row in the video, and the video, both counted from 1.
    """

    def fill(videos: Mapping[str, tuple[np.ndarray, float]], frame_rate: float | None) -> FeatureStore:
        with StoreWriter(tmp_path / "store", Recipe("tiny", "abcd", 2, frame_rate, "none", "float32")) as writer:
            for number, (video_id, (times_sec, duration_sec)) in enumerate(videos.items(), start=1):
                rows = torch.arange(1, len(times_sec) + 1).float()
                features = torch.stack([rows, torch.full_like(rows, number)], dim=-1)
                writer.add(video_id, features, times_sec, duration_sec, tmp_path / video_id)
        return FeatureStore(tmp_path / "store")

    return fill
