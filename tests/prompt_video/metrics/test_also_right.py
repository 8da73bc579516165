"""Several right answers: ranks count the one that stands first, by a plain loop over every query."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from prompt_video.metrics.retrieval.metric import RetrievalMetrics
from prompt_video.metrics.retrieval.paired import PairedScores
from prompt_video.metrics.retrieval.ranks import Ranks, ranks
from prompt_video.metrics.retrieval.rescoring import DualSoftmax
from prompt_video.metrics.retrieval.scores import MatrixScores, NotFiniteError


def expected_rank(scores: Sequence[float], right: set[int]) -> float:
    """Of the first right answer, where equals stand in random order."""
    best = max(scores[answer] for answer in right)
    wrong = [score for answer, score in enumerate(scores) if answer not in right]
    right_at_best = sum(scores[answer] == best for answer in right)
    return 1 + sum(score > best for score in wrong) + sum(score == best for score in wrong) / (right_at_best + 1)


def by_loop(matrix: np.ndarray, truth: np.ndarray) -> tuple[list[float], list[float]]:
    rows = [expected_rank(matrix[row].tolist(), set(np.flatnonzero(truth[row]))) for row in range(len(matrix))]
    asking = np.flatnonzero(truth.any(0))
    return rows, [expected_rank(matrix[:, c].tolist(), set(np.flatnonzero(truth[:, c]))) for c in asking]


def made_up(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores with many equals, each text's video, more right pairs with repeats among them, and the whole truth."""
    rng = np.random.default_rng(seed)
    num_texts, num_videos = int(rng.integers(3, 20)), int(rng.integers(3, 12))
    matrix = rng.integers(-3, 4, size=(num_texts, num_videos)).astype(np.float32)
    video_index = rng.integers(num_videos, size=num_texts)
    also = np.stack([rng.integers(num_texts, size=7), rng.integers(num_videos, size=7)], axis=1)
    also = np.concatenate([also, also[:2], [[0, video_index[0]]]])
    truth = np.zeros(matrix.shape, dtype=bool)
    truth[np.arange(num_texts), video_index] = True
    truth[also[:, 0], also[:, 1]] = True
    return matrix, video_index, also, truth


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("block", [(1, 1), (2, 3), (50, 50)])
def test_ranks_are_those_of_a_plain_loop(seed: int, block: tuple[int, int]) -> None:
    matrix, video_index, also, truth = made_up(seed)
    scores = PairedScores(MatrixScores(matrix, block=block), video_index, also)
    rows, columns = np.nonzero(np.ones_like(truth))
    assert (scores.is_right(rows, columns) == truth.flatten()).all()
    found = ranks(scores)
    of_texts, of_videos = by_loop(matrix, truth)
    assert found["t2v"].expected().tolist() == pytest.approx(of_texts)
    assert found["v2t"].expected().tolist() == pytest.approx(of_videos)
    rescored = ranks(scores, DualSoftmax(scores, 1.0))
    double = matrix.astype(np.float64)
    signed = double * np.exp(double - np.logaddexp.reduce(double, axis=0))
    assert rescored["t2v"].expected().tolist() == pytest.approx(by_loop(signed.round(12), truth)[0])


def test_without_more_right_answers_nothing_changes() -> None:
    matrix, video_index, _, _ = made_up(3)
    none = np.zeros((0, 2), dtype=np.int64)
    plain, same = (ranks(PairedScores(MatrixScores(matrix), video_index, also)) for also in (None, none))
    for direction, own in plain.items():
        for one, other in zip(own, same[direction], strict=True):
            assert (one == other).all()


def test_a_right_answer_that_is_no_number_is_named() -> None:
    matrix = np.array([[0.5, np.nan]])
    with pytest.raises(NotFiniteError, match="the score in row 0, column 1 is nan"):
        PairedScores(MatrixScores(matrix), np.array([0]), np.array([[0, 1]]))


def test_the_metric_maps_numbers_to_places_and_leaves_out_what_was_not_given() -> None:
    rng = np.random.default_rng(0)
    texts, videos = (torch.from_numpy(rng.standard_normal((4, 5))).float() for _ in range(2))
    metric = RetrievalMetrics()
    metric.also_right = np.array([[10, 33], [12, 30], [11, 99], [77, 30]])
    metric.update(texts[:2], videos[:2], torch.tensor([12, 10]), torch.tensor([31, 30]), torch.tensor([31, 30]))
    metric.update(texts[2:], videos[2:], torch.tensor([11, 13]), torch.tensor([32, 33]), torch.tensor([33, 32]))
    order, columns = [1, 2, 0, 3], [1, 0, 3, 2]
    matrix = (texts.double() @ videos.double().T).float().numpy()[np.ix_(order, columns)]
    truth = np.zeros((4, 4), dtype=bool)
    truth[[0, 1, 2, 3, 0, 2], [0, 2, 1, 3, 3, 0]] = True
    found: Callable[[str], Ranks] = lambda direction: metric.retrieval().ranks[direction]  # type: ignore[index]  # noqa: E731
    assert found("t2v").expected().tolist() == pytest.approx(by_loop(matrix, truth)[0])
    assert found("v2t").expected().tolist() == pytest.approx(by_loop(matrix, truth)[1])
