"""One query in an index of a million spans, as it lies on disk, against the plain way: all to float32, matmul, argsort.

The vectors are made up: subjects with videos around them, videos with spans around them, and queries beside a span.
Two threads, warm page cache.
"""

import tempfile
import time
from collections.abc import Callable
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
from prompt_video.search.clusters import build_clusters
from prompt_video.search.vectors import Rows, Scores, Vectors

NUM_SPANS, DIM = 1_000_000, 512
SPANS_A_VIDEO = 500
NUM_SUBJECTS = 200
NUM_QUERIES = 100  # of the recall
TOP, THREADS = 10, 2
REPEATS = 4  # of a query that is over at once


def run(setting: Setting, num_spans: int, rounds: int) -> Figures:
    """Time exact and approximate search.

    Args:
        setting: where.
        num_spans: in the index.
        rounds: in which the ways are timed.

    Returns:
        ``exact_seconds`` and ``plain_seconds`` of one query, and how many times faster the first is; the same of four
        queries at once; ``approximate_seconds``, how many times faster than exact search that is, which share of the
        ten best it finds, and the seconds that its clusters take to build.
    """
    with threads(THREADS), tempfile.TemporaryDirectory() as folder:
        return _measure(Path(folder) / "index", num_spans, rounds)


def _size(num_spans: int, mib: int, seconds: int, *, quick: bool = False) -> Size:
    return Size(f"{num_spans:,} spans", mib, seconds, {"num_spans": num_spans, "rounds": 5}, quick)


MEASUREMENTS = (
    Measurement(
        run, (_size(NUM_SPANS, 6500, 120), _size(300_000, 2500, 35), _size(100_000, 1400, 9, quick=True)), on="host"
    ),
)


def _measure(root: Path, num_spans: int, rounds: int) -> Figures:
    queries = _fill(root, num_spans)
    vectors = Vectors(FeatureStore(root))
    one, four = queries[:1], queries[:4]
    plain = partial(_plain, list(vectors.stored()), one)
    exact = partial(vectors.nearest, one, TOP)
    _assert_same(exact(), plain())
    start = time.perf_counter()
    clusters = build_clusters(vectors)
    build_seconds = time.perf_counter() - start
    approximate = partial(clusters.nearest, vectors, one, TOP)
    ways = {"exact": exact, "plain": plain, "four": partial(vectors.nearest, four, TOP)}
    seconds = interleaved(ways, rounds)
    # Four times in a row, as it is short, and apart from the plain way, which empties the processor's cache.
    short = interleaved({"exact": exact, "approximate": partial(_repeat, approximate, REPEATS)}, rounds)
    _, truth = vectors.nearest(queries, TOP)
    found = [rows for _, rows in clusters.nearest(vectors, queries, TOP)]
    hits = [len(np.intersect1d(own.numpy(), best.numpy())) / TOP for own, best in zip(found, truth, strict=True)]
    return {
        "spans": float(num_spans),
        "exact_seconds": seconds["exact"],
        "plain_seconds": seconds["plain"],
        "exact_speedup": seconds["plain"] / seconds["exact"],
        "four_queries_seconds": seconds["four"],
        "approximate_seconds": 1 / REPEATS * short["approximate"],
        "approximate_speedup": REPEATS * (short["exact"] / short["approximate"]),
        "approximate_recall@10": float(np.mean(hits)),
        "clusters_build_seconds": build_seconds,
    }


def _repeat(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()


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
