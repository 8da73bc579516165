"""Small feature stores of made-up features."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_modules.features.store import Recipe, StoreWriter

DIM = 8
RECIPE = Recipe("tiny", "abcd", DIM, 25.0, "resize 32, centre crop")


def features_of(seed: int, num_frames: int = 5) -> Tensor:
    return torch.randn(num_frames, DIM, generator=torch.Generator().manual_seed(seed))


def fill(
    root: Path, video: Path, count: int = 12, recipe: Recipe = RECIPE, max_shard_bytes: int = 2**20
) -> dict[str, Tensor]:
    """Videos "0", "1", ... of 1, 2, ... frames."""
    features = {str(number): features_of(number, number + 1) for number in range(count)}
    with StoreWriter(root, recipe, max_shard_bytes=max_shard_bytes) as writer:
        for video_id, rows in features.items():
            writer.add(video_id, rows, np.arange(len(rows)) / 25, len(rows) / 25, video)
    return features
