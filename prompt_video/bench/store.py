"""Random reads of the feature store against one float64 .npy file per video, as features are commonly released."""

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_modules.feature_store import FeatureStore, Recipe, StoreWriter

NUM_FRAMES, DIM = 300, 512
NUM_ROWS = 16
BATCH_SIZE = 64

Requests = list[tuple[str, Int[np.ndarray, " T"]]]


def run(num_videos: int = 192, num_rounds: int = 40) -> dict[str, float]:
    """Read batches of 64 videos, 16 strided rows of 300 x 512 each, both ways in turn, from a warm page cache.

    Args:
        num_videos: videos on disk.
        num_rounds: batches read each way; the medians count.

    Returns:
        ``reads_ratio``, reads a second of the store over those of the .npy files; ``size_ratio``, bytes on disk of the
        store over those of the .npy files.
    """
    with tempfile.TemporaryDirectory() as folder:
        store, files = Path(folder) / "store", Path(folder) / "npy"
        _fill(store, files, num_videos)
        reader = FeatureStore(store)
        rng = np.random.default_rng(0)
        ours, theirs = [], []
        for _ in range(num_rounds + 3):
            requests = _requests(rng, num_videos)
            seconds, expected = _timed(partial(_read_files, files, requests))
            theirs.append(seconds)
            seconds, features = _timed(partial(reader.gather, requests))
            ours.append(seconds)
            torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4)  # float16 keeps 11 bits
        return {
            "reads_ratio": statistics.median(theirs[3:]) / statistics.median(ours[3:]),
            "size_ratio": _num_bytes(store) / _num_bytes(files),
        }


def _fill(store: Path, files: Path, num_videos: int) -> None:
    files.mkdir()
    times = np.arange(NUM_FRAMES) / 25
    generator = torch.Generator().manual_seed(0)
    with StoreWriter(store, Recipe("random", "none", DIM, 25.0, "none")) as writer:
        for index in range(num_videos):
            features = torch.randn(NUM_FRAMES, DIM, generator=generator)
            path = files / f"{index}.npy"
            np.save(path, features.double().numpy())
            writer.add(str(index), features, times, NUM_FRAMES / 25, path)


def _requests(rng: np.random.Generator, num_videos: int) -> Requests:
    stride = NUM_FRAMES // NUM_ROWS
    videos = rng.choice(num_videos, BATCH_SIZE, replace=num_videos < BATCH_SIZE)
    return [(str(video), rng.integers(stride) + stride * np.arange(NUM_ROWS)) for video in videos]


def _read_files(files: Path, requests: Requests) -> Float[Tensor, "M D"]:
    rows = [torch.from_numpy(np.load(files / f"{video_id}.npy")[rows]).float() for video_id, rows in requests]
    return torch.cat(rows)


def _timed(read: Callable[[], Tensor]) -> tuple[float, Tensor]:
    start = time.perf_counter()
    features = read()
    return time.perf_counter() - start, features


def _num_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
