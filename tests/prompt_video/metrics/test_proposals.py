from collections.abc import Callable

import numpy as np
import pytest

from prompt_video.metrics.proposals import best_of_repeated, recall_curve
from prompt_video.metrics.tables import ACTIVITYNET_TIOUS, Detections, Truth

Tables = Callable[[str], tuple[Detections, Truth, int]]


def overlap(one: list[float], other: list[float]) -> float:
    inter = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    return inter / ((other[1] - other[0]) + (one[1] - one[0]) - inter) if inter else 0.0


def curve_by_a_loop(proposals: Detections, truth: Truth, tiou: float) -> tuple[list[float], list[float]]:
    """Recall and average number of proposals at 100 points, one video and one ground truth after the other."""
    videos = sorted(set(truth.video.tolist()))
    share = 100 * len(videos) / len(proposals.scores)
    kept: dict[int, list[list[float]]] = {}
    for video in videos:
        rows = np.flatnonzero(proposals.video == video)
        own = sorted(zip((-proposals.scores[rows]).tolist(), proposals.segments[rows].tolist(), strict=True))
        kept[video] = [segment for _, segment in own[: min(int(len(own) * share), len(own))]]
    total = sum(map(len, kept.values()))
    recalls, numbers = [], []
    for point in np.arange(1, 101) / 100.0:
        part = float(point) * (100 * len(videos) / total)
        found = 0
        for video, segment in zip(truth.video.tolist(), truth.segments.tolist(), strict=True):
            some = kept[video][: min(int(len(kept[video]) * part), len(kept[video]))]
            found += any(overlap(one, segment) >= tiou for one in some)
        recalls.append(found / len(truth.video))
        numbers.append(part * total / len(videos))
    return recalls, numbers


@pytest.mark.parametrize("name", ["random 5", "grid 5", "crowded 5", "sparse 5"])
def test_against_a_loop(tables: Tables, name: str) -> None:
    detections, truth, _ = tables(name)
    for proposals in (detections, best_of_repeated(detections)):
        curve = recall_curve(proposals, truth, ACTIVITYNET_TIOUS)
        for row in (0, 4, 9):
            recalls, numbers = curve_by_a_loop(proposals, truth, ACTIVITYNET_TIOUS[row])
            np.testing.assert_allclose(curve.recall[row], recalls, rtol=0, atol=1e-12)
            np.testing.assert_allclose(curve.num_proposals, numbers, rtol=1e-12)
        assert curve.recall.max() > 0.2


def test_the_order_of_the_rows_does_not_matter(tables: Tables) -> None:
    detections, truth, _ = tables("crowded 6")
    tied = detections._replace(scores=detections.scores.round(1))
    curve = recall_curve(tied, truth, ACTIVITYNET_TIOUS)
    rng = np.random.default_rng(0)
    rows, truth_rows = rng.permutation(len(tied.scores)), rng.permutation(len(truth.video))
    mixed = Detections(*(column[rows] for column in tied)), Truth(*(column[truth_rows] for column in truth))
    np.testing.assert_array_equal(recall_curve(*mixed, ACTIVITYNET_TIOUS).recall, curve.recall)
    np.testing.assert_array_equal(best_of_repeated(mixed[0]).segments, best_of_repeated(tied).segments)


def test_repeated_segments_keep_their_best_score() -> None:
    detections = Detections(
        np.array([1, 1, 1, 2, 1]),
        np.array([0, 1, 2, 0, 3]),
        np.array([[0.0, 5.0], [0.0, 5.0], [0.0, 6.0], [0.0, 5.0], [0.0, 5.0]]),
        np.array([0.2, 0.9, 0.5, 0.1, 0.3]),
    )
    best = best_of_repeated(detections)
    assert best.video.tolist() == [1, 1, 2]
    assert best.segments.tolist() == [[0, 5], [0, 6], [0, 5]]
    assert best.scores.tolist() == [0.9, 0.5, 0.1]
    assert len(best_of_repeated(Detections(*(column[:0] for column in detections))).scores) == 0


def test_nothing_proposed_is_no_recall(tables: Tables) -> None:
    detections, truth, _ = tables("random 5")
    for proposals in (
        Detections(*(column[:0] for column in detections)),
        detections._replace(video=np.zeros_like(detections.video)),  # all in a video without ground truth
    ):
        curve = recall_curve(proposals, truth, [0.5])
        assert not curve.recall.any()
        assert curve.auc == 0
    without = recall_curve(detections, Truth(*(column[:0] for column in truth)), [0.5])
    assert np.isnan(without.recall).all()
    assert np.isnan(without.auc)
