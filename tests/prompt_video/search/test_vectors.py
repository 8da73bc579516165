from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from data_modules.batch import BrokenVideo
from data_modules.features.store import FeatureStore, Recipe, StoreWriter
from prompt_video.search import vectors as vectors_module
from prompt_video.search.index import Hit, thinned
from prompt_video.search.vectors import Vectors

DIM = 32


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    """Sixty videos in several shards, one of them written again, another one gone."""
    chance = torch.Generator().manual_seed(0)
    with StoreWriter(tmp_path, Recipe("tiny", "abcd", DIM, 2.0, "none"), max_shard_bytes=50 * DIM * 2) as writer:
        for number in [*range(60), 7]:
            centre = torch.randn(DIM, generator=chance)
            rows = F.normalize(centre + 0.3 * torch.randn(10 + number, DIM, generator=chance), dim=-1)
            writer.add(str(number), rows, 4.0 * np.arange(len(rows)), 4.0 * len(rows), tmp_path)
        writer.add_broken(BrokenVideo("11", "11", "the file is gone"))
    return FeatureStore(tmp_path)


def queries(store: FeatureStore, count: int = 8) -> torch.Tensor:
    rows = torch.cat([store.read(video_id)[:1] for video_id in store.video_ids[:count]])
    return F.normalize(rows + 0.05 * torch.randn(rows.shape, generator=torch.Generator().manual_seed(1)), dim=-1)


def test_exact_search_is_a_loop_over_everything(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_module, "PIECE_ROWS", 30)
    monkeypatch.setattr(vectors_module, "BLOCK_BYTES", 4 * DIM * 7)
    vectors = Vectors(store)
    assert len(store.shard_names) > 5
    assert "11" not in store
    asked = queries(store)
    scores, rows = vectors.nearest(asked, 12)
    for query, own_scores, own_rows in zip(asked.numpy(), scores, rows, strict=True):
        everything = [
            (float(vector @ query), video_id, float(time_sec))
            for video_id in store.video_ids
            for vector, time_sec in zip(store.read(video_id).numpy(), store.times_sec(video_id), strict=True)
        ]
        expected = sorted(everything, reverse=True)[:12]
        assert own_scores.tolist() == pytest.approx([score for score, *_ in expected], abs=1e-6)
        assert [vectors.of(row) for row in own_rows.tolist()] == [tuple(place) for _, *place in expected]


def test_all_rows_that_there_are(store: FeatureStore) -> None:
    vectors = Vectors(store)
    scores, rows = vectors.nearest(queries(store, 1), 10**6)
    assert len(vectors) == rows.shape[1] == sum(store.num_frames(video_id) for video_id in store.video_ids)
    assert scores.isfinite().all()
    assert len(set(rows[0].tolist())) == len(vectors)


def test_of_overlapping_hits_the_best_stays() -> None:
    def hit(video_id: str, start: float) -> Hit:
        return Hit(video_id, Path(video_id), start, start + 8.0, 0.0)

    hits = [hit("a", 4.0), hit("a", 8.0), hit("b", 8.0), hit("a", 12.0), hit("a", 0.0), hit("a", 16.0)]
    assert thinned(hits) == [hits[0], hits[2], hits[3]]
