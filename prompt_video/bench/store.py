"""Random reads of the feature store against one float64 .npy file per video, as features are commonly released."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_modules.features.store import FeatureStore, Recipe, StoreWriter
from prompt_video.bench.measure import interleaved
from prompt_video.bench.plan import Figures, Measurement, Setting, Size

NUM_FRAMES, DIM = 300, 512
NUM_ROWS = 16
BATCH_SIZE = 64
BATCHES_A_ROUND = 5

Requests = list[tuple[str, Int[np.ndarray, " T"]]]


def run(setting: Setting, num_videos: int, rounds: int) -> Figures:
    """Read batches of 64 videos, 16 strided rows of 300 x 512 each, both ways in turn, from a warm page cache.

    Args:
        setting: where.
        num_videos: videos on disk.
        rounds: of five batches, which are new in each round and the same both ways.

    Returns:
        ``reads_ratio``, reads a second of the store over those of the .npy files; ``size_ratio``, bytes on disk of the
        store over those of the .npy files.
    """
    with tempfile.TemporaryDirectory() as folder:
        store, files = Path(folder) / "store", Path(folder) / "npy"
        _fill(store, files, num_videos)
        reader = FeatureStore(store)
        rng = np.random.default_rng(0)
        batches = [_requests(rng, num_videos) for _ in range((rounds + 1) * BATCHES_A_ROUND)]
        for requests in batches[:BATCHES_A_ROUND]:  # float16 keeps 11 bits
            torch.testing.assert_close(reader.gather(requests), _read_files(files, requests), rtol=1e-3, atol=1e-4)
        ways = {
            "files": partial(_read_next, partial(_read_files, files), iter(batches)),
            "store": partial(_read_next, reader.gather, iter(batches)),
        }
        seconds = interleaved(ways, rounds)
        return {"reads_ratio": seconds["files"] / seconds["store"], "size_ratio": _num_bytes(store) / _num_bytes(files)}


MEASUREMENTS = (
    Measurement(
        run,
        (
            Size("192 videos", 1200, 20, {"num_videos": 192, "rounds": 8}),
            Size("64 videos", 900, 5, {"num_videos": 64, "rounds": 5}, quick=True),
        ),
        on="host",
    ),
)


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


def _read_next(read: Callable[[Requests], Tensor], batches: Iterator[Requests]) -> None:
    for requests in itertools.islice(batches, BATCHES_A_ROUND):
        read(requests)


def _num_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
