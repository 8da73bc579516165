import math
from collections.abc import Callable

import numpy as np
import pytest

from prompt_video.metrics import average_precision as module
from prompt_video.metrics import tables as tables_module
from prompt_video.metrics.average_precision import average_precision
from prompt_video.metrics.tables import ACTIVITYNET_TIOUS, Detections, Truth, video_number

Tables = Callable[[str], tuple[Detections, Truth, int]]


def overlap(one: list[float], other: list[float]) -> float:
    inter = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    union = (other[1] - other[0]) + (one[1] - one[0]) - inter
    return inter / union if union else math.inf


def ap_by_a_loop(detections: Detections, truth: Truth, label: int, tiou: float) -> float:
    """One class and one threshold, one detection after the other."""
    truths: dict[int, list[list[float]]] = {}
    for video, own, segment in zip(truth.video.tolist(), truth.label.tolist(), truth.segments.tolist(), strict=True):
        if own == label:
            truths.setdefault(video, []).append(segment)
    count = sum(map(len, truths.values()))
    if not count:
        return math.nan
    columns = (-detections.scores, detections.video, *detections.segments.T, detections.label)
    hits: list[bool] = []
    for _, video, start, end, own in sorted(zip(*(column.tolist() for column in columns), strict=True)):
        if own != label:
            continue
        free = truths.get(video, [])
        best = max(free, key=lambda segment: (overlap([start, end], segment), segment), default=None)
        hits.append(best is not None and overlap([start, end], best) >= tiou)
        if best is not None and hits[-1]:
            free.remove(best)
    precisions = [sum(hits[: rank + 1]) / (rank + 1) for rank in range(len(hits))]
    return sum(max(precisions[rank:]) for rank, hit in enumerate(hits) if hit) / count


def random_tables(seed: int, tied: bool) -> tuple[Detections, Truth, int]:
    """Dense: many detections compete for many ground truths; segments on a grid, some empty, some reversed."""
    rng = np.random.default_rng(seed)
    num_truth, num_detections = int(rng.integers(1, 120)), int(rng.integers(300))

    def segments(count: int) -> np.ndarray:
        start = rng.integers(12, size=count)
        return np.stack([start, start + rng.integers(-1, 9, size=count)], 1).astype(float)

    scores = rng.integers(5, size=num_detections) / 4 if tied else rng.random(num_detections)
    videos = np.array([video_number(f"video {number}") for number in range(6)])
    detections = Detections(
        videos[rng.integers(6, size=num_detections)],
        rng.integers(4, size=num_detections),
        segments(num_detections),
        scores,
    )
    truth = Truth(videos[rng.integers(5, size=num_truth)], rng.integers(3, size=num_truth), segments(num_truth))
    return detections, truth, 5


@pytest.mark.parametrize("tied", [False, True])
def test_against_a_loop(tied: bool) -> None:
    for seed in range(12):
        detections, truth, num_classes = random_tables(seed, tied)
        found = average_precision(detections, truth, num_classes, [0.2, 0.5, 0.75, 1.0])
        expected = [
            [ap_by_a_loop(detections, truth, label, tiou) for tiou in (0.2, 0.5, 0.75, 1.0)]
            for label in range(num_classes)
        ]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["random 7", "grid 7", "crowded 7", "sparse 7"])
def test_made_up_files_against_a_loop(tables: Tables, name: str) -> None:
    detections, truth, num_classes = tables(name)
    found = average_precision(detections, truth, num_classes, ACTIVITYNET_TIOUS)
    for label in range(num_classes):
        for column in (0, 5, 9):
            expected = ap_by_a_loop(detections, truth, label, ACTIVITYNET_TIOUS[column])
            assert found[label, column] == pytest.approx(expected, abs=1e-12)


def test_the_order_of_the_rows_does_not_matter() -> None:
    for seed in range(5):
        detections, truth, num_classes = random_tables(seed, tied=True)
        rng = np.random.default_rng(seed)
        mixed = rng.permutation(len(detections.scores)), rng.permutation(len(truth.video))
        again = average_precision(
            Detections(*(column[mixed[0]] for column in detections)),
            Truth(*(column[mixed[1]] for column in truth)),
            num_classes,
            ACTIVITYNET_TIOUS,
        )
        np.testing.assert_array_equal(average_precision(detections, truth, num_classes, ACTIVITYNET_TIOUS), again)


def test_in_small_portions_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    detections, truth, num_classes = random_tables(3, tied=True)
    whole = average_precision(detections, truth, num_classes, ACTIVITYNET_TIOUS)
    monkeypatch.setattr(module, "_PAIRS_AT_A_TIME", 1)
    monkeypatch.setattr(tables_module, "_PAIRS_AT_A_TIME", 7)
    np.testing.assert_array_equal(average_precision(detections, truth, num_classes, ACTIVITYNET_TIOUS), whole)


def table(rows: list[tuple[int, int, float, float, float]]) -> Detections:
    video, label, start, end, score = (np.array(column) for column in zip(*rows, strict=True))
    return Detections(video, label, np.stack([start, end], 1), score)


def truth_of(rows: list[tuple[int, int, float, float]]) -> Truth:
    video, label, start, end = (np.array(column) for column in zip(*rows, strict=True))
    return Truth(video, label, np.stack([start, end], 1))


def test_by_hand() -> None:
    """Right, wrong, right of three: precision 1 up to recall 1/3, then 2/3 up to recall 2/3."""
    truth = truth_of([(1, 0, 0.0, 10.0), (1, 0, 20.0, 30.0), (2, 0, 0.0, 10.0)])
    detections = table([(1, 0, 0.0, 10.0, 0.9), (3, 0, 0.0, 10.0, 0.8), (1, 0, 20.0, 28.0, 0.7), (1, 0, 0.0, 9.0, 0.6)])
    ap = average_precision(detections, truth, 1, [0.5, 0.8, 0.81])
    assert ap.tolist() == [pytest.approx([1 / 3 + 2 / 9, 1 / 3 + 2 / 9, 1 / 3])]


def test_a_taken_truth_passes_to_the_next_best() -> None:
    truth = truth_of([(1, 0, 0.0, 10.0), (1, 0, 1.0, 11.0)])
    detections = table([(1, 0, 0.0, 10.0, 0.9), (1, 0, 0.1, 10.1, 0.8)])
    assert average_precision(detections, truth, 1, [0.5, 0.9]).tolist() == [[1.0, 0.5]]


def test_reversed_truth_counts_as_missed() -> None:
    truth = truth_of([(1, 0, 0.0, 10.0), (1, 0, 9.0, 4.0)])
    assert average_precision(table([(1, 0, 0.0, 10.0, 0.9)]), truth, 1, [0.5]).tolist() == [[0.5]]


def test_empty_segments_match_each_other_as_in_the_toolkit() -> None:
    truth = truth_of([(1, 0, 5.0, 5.0)])
    assert average_precision(table([(1, 0, 2.0, 2.0, 0.9)]), truth, 1, [0.5]).tolist() == [[1.0]]
    assert average_precision(table([(1, 0, 2.0, 7.0, 0.9)]), truth, 1, [0.5]).tolist() == [[0.0]]


def test_no_detection_and_no_truth() -> None:
    empty = Detections(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)), np.zeros(0))
    assert average_precision(empty, truth_of([(1, 1, 0.0, 1.0)]), 2, [0.5]).tolist() == [
        [pytest.approx(math.nan, nan_ok=True)],
        [0.0],
    ]
    none = Truth(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)))
    assert np.isnan(average_precision(table([(1, 0, 0.0, 1.0, 0.5)]), none, 2, [0.5])).all()


@pytest.mark.parametrize("tious", [[], [0.0], [0.5, 1.1], [math.nan]])
def test_thresholds_that_cannot_be(tious: list[float]) -> None:
    with pytest.raises(ValueError, match="greater than 0 and at most 1"):
        average_precision(table([(1, 0, 0.0, 1.0, 0.5)]), truth_of([(1, 0, 0.0, 1.0)]), 1, tious)


@pytest.mark.parametrize("row", [(1, 0, 0.0, 1.0, math.nan), (1, 0, math.inf, 1.0, 0.5)])
def test_figures_that_are_no_numbers(row: tuple[int, int, float, float, float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        average_precision(table([row]), truth_of([(1, 0, 0.0, 1.0)]), 1, [0.5])


@pytest.mark.parametrize("label", [-1, 2])
def test_labels_that_cannot_be(label: int) -> None:
    detections, truth = table([(1, label, 0.0, 1.0, 0.5)]), truth_of([(1, label, 0.0, 1.0)])
    for own, true in ((detections, truth_of([(1, 0, 0.0, 1.0)])), (table([(1, 0, 0.0, 1.0, 0.5)]), truth)):
        with pytest.raises(ValueError, match=f"labels must be 0 to 1, not {label} to {label}"):
            average_precision(own, true, 2, [0.5])


def test_video_numbers_do_not_change() -> None:
    assert video_number("v_bYUmtLBL7W4") == -883431189890303050
