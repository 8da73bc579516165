"""Dual softmax and QB-Norm against the published formulas, written as plain loops."""

import math

import numpy as np
import pytest
from jaxtyping import Float, Int

from prompt_video.metrics.retrieval.paired import PairedScores
from prompt_video.metrics.retrieval.query_bank import QBNorm
from prompt_video.metrics.retrieval.ranks import Ranks, named_figures, ranks
from prompt_video.metrics.retrieval.rescoring import Direction, DualSoftmax, Rescoring
from prompt_video.metrics.retrieval.scores import FeatureScores, MatrixScores

Matrix = list[list[float]]

BLOCKS = [(1, 1), (4, 3), (9, 64), (1000, 1000)]


def softmax_of_queries(scores: Matrix, temperature: float) -> Matrix:
    """Queries in rows: each score times its softmax over the queries, times their number; 13 digits."""
    made: Matrix = [[0.0] * len(scores[0]) for _ in scores]
    for column in range(len(scores[0])):
        highest = max(row[column] for row in scores)
        total = math.fsum(math.exp((row[column] - highest) / temperature) for row in scores)
        for number, row in enumerate(scores):
            share = math.exp((row[column] - highest) / temperature) / total
            made[number][column] = float(f"{row[column] * share * len(scores):.9g}")
    return made


def by_bank(scores: Matrix, bank: Matrix, beta: float) -> Matrix:
    """Queries in rows; of equal best answers each is activated."""
    activated = {column for row in bank for column, score in enumerate(row) if score == max(row)}
    sums = [math.fsum(math.exp(beta * row[column]) for row in bank) for column in range(len(bank[0]))]
    made = []
    for row in scores:
        best = {column for column, score in enumerate(row) if score == max(row)}
        changed = [float(f"{math.exp(beta * score) / sums[column]:.9g}") for column, score in enumerate(row)]
        made.append(changed if best & activated else row)
    return made


def ranked(queries: Matrix, right: list[set[int]]) -> Ranks:
    """Of each query; ``right`` are its right answers."""
    rows = []
    for scores, own in zip(queries, right, strict=True):
        best = max(scores[answer] for answer in own)
        others = [score for answer, score in enumerate(scores) if answer not in own]
        rows.append((sum(score > best for score in others), others.count(best), sum(scores[a] == best for a in own)))
    return Ranks(*np.array(rows).T)


def both(of_texts: Matrix, of_videos: Matrix, video_index: Int[np.ndarray, " C"]) -> dict[Direction, Ranks]:
    asking = np.unique(video_index)
    texts = [set(np.flatnonzero(video_index == video).tolist()) for video in asking]
    return {
        "t2v": ranked(of_texts, [{own} for own in video_index.tolist()]),
        "v2t": ranked([of_videos[video] for video in asking], texts),
    }


def check(found: dict[Direction, Ranks], expected: dict[Direction, Ranks]) -> None:
    for direction, own in found.items():
        for column, of_loops in zip(own, expected[direction], strict=True):
            np.testing.assert_array_equal(column, of_loops)


def made_up(seed: int, on_grid: bool) -> tuple[Float[np.ndarray, "C V"], Int[np.ndarray, " C"]]:
    """Scores of both signs; videos and texts are there twice, so that what is re-scored has equals too."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((31, 13)).astype(np.float32)
    matrix = (2 * matrix).round() if on_grid else matrix
    matrix[:, 8] = matrix[:, 2]
    matrix[[20, 30]] = matrix[4]
    return matrix, rng.integers(11, size=31)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("temperature", [1.0, 0.07, 30.0])
@pytest.mark.parametrize("on_grid", [False, True])
def test_dual_softmax(block: tuple[int, int], temperature: float, on_grid: bool) -> None:
    for seed in range(1 if block == (1, 1) else 3):  # number by number is slow
        matrix, video_index = made_up(seed, on_grid)
        scores = PairedScores(MatrixScores(matrix, block=block), video_index)
        of_texts = softmax_of_queries(matrix.tolist(), temperature)
        of_videos = softmax_of_queries(matrix.T.tolist(), temperature)
        check(ranks(scores, DualSoftmax(scores, temperature)), both(of_texts, of_videos, video_index))


def test_dual_softmax_by_hand() -> None:
    # Both texts like the first video best; the first one likes it more.
    matrix = np.array([[0.9, 0.1], [0.8, 0.7]])
    scores = PairedScores(MatrixScores(matrix), np.array([0, 1]))
    assert ranks(scores)["t2v"].expected().tolist() == [1, 2]
    assert ranks(scores, DualSoftmax(scores, 0.05))["t2v"].expected().tolist() == [1, 1]


def test_what_underflows_keeps_its_order() -> None:
    """Products such as exp(-2000) are 0 in any precision, and negative ones below them stay below."""
    row = [0.9, 0.5, 0.2, 0.0, -0.1, -0.6]
    matrix = np.array([row, [30.0] * 6])
    scores = PairedScores(MatrixScores(matrix), np.array([3, 0]))
    found = ranks(scores, DualSoftmax(scores, 0.01))["t2v"]
    assert [found.better[0], found.equal[0]] == [3, 0]
    for video, better in ((1, 1), (4, 5), (5, 4)):  # the least negative product is that of the smaller softmax
        scores = PairedScores(MatrixScores(matrix), np.array([video, 0]))
        found = ranks(scores, DualSoftmax(scores, 0.01))["t2v"]
        assert [found.better[0], found.equal[0]] == [better, 0], video


def test_numbers_near_each_other_are_told_apart() -> None:
    """As single precision tells them, however far below the others in their columns."""
    near = np.float32(0.25)
    row = [near, np.nextafter(near, np.float32(1)), near]
    matrix = np.array([row, [20, 20, 20]], dtype=np.float32)
    for video, expected in ((0, 2.5), (1, 1), (2, 2.5)):
        scores = PairedScores(MatrixScores(matrix), np.array([video, 0]))
        assert ranks(scores, DualSoftmax(scores, 1.0))["t2v"].expected()[0] == expected
        bank = MatrixScores(matrix[1:])
        assert ranks(scores, QBNorm(scores, bank, None))["t2v"].expected()[0] == expected


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("on_grid", [False, True])
def test_qb_norm(block: tuple[int, int], on_grid: bool) -> None:
    changed = 0
    for seed in range(4):
        matrix, video_index = made_up(seed, on_grid)
        bank, _ = made_up(seed + 10, on_grid)
        text_bank, video_bank = bank[:4], np.ascontiguousarray(made_up(seed + 20, on_grid)[0].T[:6])
        scores = PairedScores(MatrixScores(matrix, block=block), video_index)
        beta = 2.0
        of_texts = by_bank(matrix.tolist(), text_bank.tolist(), beta)
        of_videos = by_bank(matrix.T.tolist(), video_bank.tolist(), beta)
        changed += sum(row != own for row, own in zip(of_texts, matrix.tolist(), strict=True))
        rescoring = QBNorm(
            scores, MatrixScores(text_bank, block=block), MatrixScores(video_bank, block=block[::-1]), beta
        )
        check(ranks(scores, rescoring), both(of_texts, of_videos, video_index))
    assert 0 < changed < 4 * 31


def test_one_bank_changes_one_direction() -> None:
    matrix, video_index = made_up(0, False)
    scores = PairedScores(MatrixScores(matrix), video_index)
    both_banks = QBNorm(scores, MatrixScores(matrix[:5]), MatrixScores(matrix.T[:3].copy()))
    expected = named_figures(ranks(scores, both_banks), both_banks)
    text_bank = QBNorm(scores, MatrixScores(matrix[:5]), None)
    video_bank = QBNorm(scores, None, MatrixScores(matrix.T[:3].copy()))
    for direction, rescoring in (("t2v", text_bank), ("v2t", video_bank)):
        figures = named_figures(ranks(scores, rescoring), rescoring)
        assert figures == {name: value for name, value in expected.items() if name.startswith(direction)}
    assert list(figures) == [f"v2t/qb_norm_{name}" for name in ("r@1", "r@5", "r@10", "median_rank", "mean_rank")]


def test_a_video_that_many_texts_like_is_held_back() -> None:
    matrix = np.array([[0.5, 0.4, 0.0], [0.5, 0.0, 0.6]])
    scores = PairedScores(MatrixScores(matrix), np.array([1, 2]))
    bank = MatrixScores(np.array([[0.9, 0.1, 0.2], [0.8, 0.0, 0.1]]))
    assert ranks(scores)["t2v"].expected().tolist() == [2, 1]
    # The first video alone is activated: the second text keeps its scores.
    assert ranks(scores, QBNorm(scores, bank, None))["t2v"].expected().tolist() == [1, 1]


@pytest.mark.parametrize("block", [(1, 1), (16, 7), (50, 50)])
def test_features_and_their_matrix_are_re_scored_alike(block: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    texts, videos = (rng.standard_normal((count, 24)).astype(np.float32) for count in (40, 17))
    videos[9], texts[33] = videos[1], texts[3]
    video_index = rng.integers(17, size=40)
    matrix = (texts.astype(np.float64) @ videos.astype(np.float64).T).astype(np.float32)
    by_features = PairedScores(FeatureScores(texts, videos, block=block), video_index)
    by_matrix = PairedScores(MatrixScores(matrix), video_index)
    bank = rng.standard_normal((12, 24)).astype(np.float32)
    bank_matrix = (bank.astype(np.float64) @ videos.astype(np.float64).T).astype(np.float32)
    pairs: list[tuple[Rescoring, Rescoring]] = [
        (DualSoftmax(by_features, 1.0), DualSoftmax(by_matrix, 1.0)),
        (
            QBNorm(by_features, FeatureScores(bank, videos, block=block), None, 0.5),
            QBNorm(by_matrix, MatrixScores(bank_matrix), None, 0.5),
        ),
    ]
    for one, other in pairs:
        check(ranks(by_features, one), ranks(by_matrix, other))


def test_settings_that_cannot_be() -> None:
    matrix, video_index = made_up(0, False)
    scores, bank = PairedScores(MatrixScores(matrix), video_index), MatrixScores(matrix)
    for temperature in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="temperature of the softmax must be a number greater than 0"):
            DualSoftmax(scores, temperature)
    with pytest.raises(ValueError, match="1e-08 is far too small for scores"):
        DualSoftmax(scores, 1e-8)
    with pytest.raises(ValueError, match="beta must be a number greater than 0, not 0"):
        QBNorm(scores, bank, None, 0.0)
    with pytest.raises(ValueError, match="needs a bank of training texts, of training videos, or both"):
        QBNorm(scores, None, None)
    with pytest.raises(ValueError, match=r"31 rows and 13 columns; a bank needs .* each of the 31 texts of the test"):
        QBNorm(scores, bank, bank)
