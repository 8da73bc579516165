"""One query in an index of a million spans, as it lies on disk, against the plain way: all to float32, matmul, argsort.

The vectors are made up: subjects with videos around them, videos with spans around them, and queries beside a span.
Two threads, warm page cache.
"""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from data_modules.features.store import FeatureStore, Recipe, StoreWriter
from prompt_video.bench.measure import interleaved, threads
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.search.vectors import Rows, Scores, Vectors

NUM_SPANS, DIM = 1_000_000, 512
SPANS_A_VIDEO = 500
NUM_SUBJECTS = 200
NUM_QUERIES = 4
TOP, THREADS = 10, 2


def run(setting: Setting, num_spans: int, rounds: int) -> Figures:
    """Time a search.

    Args:
        setting: where.
        num_spans: in the index.
        rounds: in which the ways are timed.

    Returns:
        ``exact_seconds`` and ``plain_seconds`` of one query, how many times faster the first is, and the seconds of
        four queries at once.
    """
    with threads(THREADS), tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder) / "index", num_spans, rounds)


def _size(num_spans: int, mib: int, seconds: int, *, quick: bool = False) -> Size:
    return Size(f"{num_spans:,} spans", mib, seconds, {"num_spans": num_spans, "rounds": 5}, quick)


MEASUREMENTS = (
    Measurement(
        run, (_size(NUM_SPANS, 6500, 90), _size(300_000, 2500, 25), _size(100_000, 1400, 9, quick=True)), on="host"
    ),
)


def _measure(root: Path, num_spans: int, rounds: int) -> Figures:
    queries = _fill(root, num_spans)
    vectors = Vectors(FeatureStore(root))
    one = queries[:1]
    plain = partial(_plain, list(vectors.stored()), one)
    exact = partial(vectors.nearest, one, TOP)
    _assert_same(exact(), plain())
    ways = {"exact": exact, "plain": plain, "four": partial(vectors.nearest, queries, TOP)}
    seconds = interleaved(ways, rounds)
    return {
        "spans": float(num_spans),
        "exact_seconds": seconds["exact"],
        "plain_seconds": seconds["plain"],
        "exact_speedup": seconds["plain"] / seconds["exact"],
        "four_queries_seconds": seconds["four"],
    }


def _fill(root: Path, num_spans: int) -> Float[Tensor, "Q D"]:
    """Write the index; queries come back."""
    chance = torch.Generator().manual_seed(0)
    subjects = torch.randn(NUM_SUBJECTS, DIM, generator=chance)
    times_sec = 4.0 * np.arange(SPANS_A_VIDEO)
    near = []
    with StoreWriter(root, Recipe("random", "none", DIM, 2.0, "none")) as writer:
        for number in range(num_spans // SPANS_A_VIDEO):
            video = subjects[number % NUM_SUBJECTS] + 0.7 * torch.randn(DIM, generator=chance)
            spans = F.normalize(video + 0.7 * torch.randn(SPANS_A_VIDEO, DIM, generator=chance), dim=-1)
            writer.add(str(number), spans, times_sec, 4.0 * SPANS_A_VIDEO, root)
            near.append(spans[number % SPANS_A_VIDEO])
    step = max(1, len(near) // NUM_QUERIES)
    beside = torch.stack(near[::step][:NUM_QUERIES])
    return F.normalize(beside + DIM**-0.5 * torch.randn(beside.shape, generator=chance), dim=-1)


def _plain(stored: list[Tensor], query: Float[Tensor, "1 D"]) -> tuple[Scores, Rows]:
    """With NumPy, as it is commonly written."""
    everything = np.concatenate([part.numpy() for part in stored]).astype(np.float32)
    scores = everything @ query[0].numpy()
    best = np.argsort(-scores)[:TOP]
    return torch.from_numpy(scores[best])[None], torch.from_numpy(best)[None]


def _assert_same(ours: tuple[Scores, Rows], plain: tuple[Scores, Rows]) -> None:
    torch.testing.assert_close(ours[0], plain[0], rtol=0, atol=1e-5)
    assert torch.equal(ours[1], plain[1]), "the hits are not the same"
