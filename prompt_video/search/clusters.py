"""Approximate search: an inverted file over the store's own vectors, which are not copied.

All vectors are sorted into about as many clusters as each then has vectors. A query is compared with the clusters'
centres, and with the vectors of the nearest clusters only: their scores are exact, but a near vector of another cluster
is missed.
"""

import hashlib
import logging
import zlib
from pathlib import Path

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from data_modules.features.store import FeatureStore
from data_modules.files.atomic import remove_leftovers, write_whole
from data_modules.files.regular_files import why_not_a_file
from prompt_video.search.vectors import Vectors

log = logging.getLogger(__name__)

FILES = "clusters-*.safetensors"
SAMPLES = 64  # vectors for each centre that is learned
PROBES = 1 / 32  # share of the clusters that a query looks into,
MIN_PROBES = 8  # but this many at least

Ranking = tuple[Float[Tensor, " _"], Int[Tensor, " _"]]  # scores and rows of one query, best first


class Clusters:
    """The clusters of an index.

    Args:
        centres: unit vectors.
        rows: all rows, those of one cluster together and ascending.
        starts: where in ``rows`` each cluster begins, and where the last one ends.
    """

    def __init__(self, centres: Float[Tensor, "C D"], rows: Int[Tensor, " N"], starts: Int[Tensor, " C+1"]) -> None:
        self.centres, self.rows, self.starts = centres, rows, starts

    def nearest(self, vectors: Vectors, queries: Float[Tensor, "Q D"], count: int) -> list[Ranking]:
        """As `Vectors.nearest` but for each query by itself, and not sure to find all."""
        probes = min(max(MIN_PROBES, round(PROBES * len(self.centres))), len(self.centres))
        answers = []
        for query in queries:
            chosen = (self.centres @ query).topk(probes).indices.sort().values.tolist()
            rows = torch.cat([self.rows[self.starts[number] : self.starts[number + 1]] for number in chosen])
            rows = rows.sort().values
            scores, place = (vectors.gather(rows) @ query).topk(min(count, len(rows)))
            answers.append((scores, rows[place]))
        return answers


def open_clusters(store: FeatureStore, vectors: Vectors) -> Clusters:
    """The clusters of an index as it is now: read, or built and kept beside it for the next time."""
    key = hashlib.sha256("/".join(store.shard_names).encode()).hexdigest()[:16]
    for path in sorted(store.root.glob(FILES.replace("*", f"{key}-*"))):
        try:
            return _read(path, vectors)
        except (SafetensorError, OSError, KeyError, ValueError):
            log.warning("%s is damaged and made again", path)
    log.info("sorting %d spans into clusters, once for this state of the index", len(vectors))
    clusters = build_clusters(vectors)
    content = save({"centres": clusters.centres, "rows": clusters.rows, "starts": clusters.starts})
    path = store.root / FILES.replace("*", f"{key}-{zlib.crc32(content):08x}")
    try:
        write_whole(path, lambda partial: partial.write_bytes(content))
        remove_leftovers(store.root)
        for old in store.root.glob(FILES):
            if old != path:
                old.unlink(missing_ok=True)
    except OSError as error:
        log.warning("the clusters cannot be kept for the next search: %s", error)
    return clusters


def _read(path: Path, vectors: Vectors) -> Clusters:
    """Kept clusters, held against the checksum in their file's name.

    Raises:
        ValueError: when it differs, or they are not of these vectors.
    """
    if why_not_a_file(path) or not path.stem.endswith(f"-{zlib.crc32(content := path.read_bytes()):08x}"):
        raise ValueError("its checksum differs")
    kept = load(content)
    clusters = Clusters(kept["centres"], kept["rows"], kept["starts"])
    if clusters.centres.shape[1:] != (vectors.dim,) or not torch.equal(clusters.rows.sort().values, vectors.live()):
        raise ValueError("it is of another index")
    return clusters


def build_clusters(vectors: Vectors) -> Clusters:
    """Learn centres from some of the vectors, then give every vector to the nearest one."""
    import faiss  # imported late: a tenth of a second, for the one search that needs it

    live = vectors.live()
    count = max(1, round(len(live) ** 0.5))
    chance = torch.Generator().manual_seed(0)
    sample = live[torch.randperm(len(live), generator=chance)[: SAMPLES * count]].sort().values
    means = faiss.Kmeans(vectors.dim, count, niter=10, spherical=True, min_points_per_centroid=1, seed=0)
    means.train(vectors.gather(sample).numpy())
    assert means.centroids is not None
    centres = torch.from_numpy(means.centroids.copy())
    owner = torch.full((int(live[-1]) + 1,), -1)
    for first, block in vectors.blocks():
        part = owner[first : first + len(block)]
        part.copy_((block[: len(part)] @ centres.T).argmax(1))
    owner = owner[live]
    sizes = torch.bincount(owner, minlength=count)
    starts = torch.cat([torch.zeros(1, dtype=torch.long), sizes.cumsum(0)])
    return Clusters(centres, live[owner.argsort(stable=True)], starts)
