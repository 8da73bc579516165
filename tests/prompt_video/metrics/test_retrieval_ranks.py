"""Ranks against a brute force that puts equal scores in every order there is."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from jaxtyping import Float, Int

from prompt_video.metrics.retrieval.paired import PairedScores
from prompt_video.metrics.retrieval.ranks import RECALLS, Ranks, ranks
from prompt_video.metrics.retrieval.rescoring import Direction
from prompt_video.metrics.retrieval.scores import FeatureScores, MatrixScores, NotFiniteError
from prompt_video.metrics.retrieval.top import top

BLOCKS = [(1, 1), (2, 3), (5, 2), (300, 300)]


def paired(
    matrix: np.ndarray, video_index: Sequence[int] | np.ndarray, block: tuple[int, int] = (3, 2)
) -> PairedScores:
    return PairedScores(MatrixScores(matrix, block=block), np.asarray(video_index))


def by_every_order(scores: Sequence[float], right: set[int]) -> tuple[float, dict[int, float]]:
    """Mean rank of the first right answer, and mean of hits at k, over all orders of the answers that are sorted."""
    found = []
    for order in itertools.permutations(range(len(scores))):
        if all(scores[one] >= scores[other] for one, other in itertools.pairwise(order)):
            found.append(1 + min(order.index(answer) for answer in right))
    return float(np.mean(found)), {k: float(np.mean([rank <= k for rank in found])) for k in range(1, 8)}


@pytest.mark.parametrize("seed", range(12))
def test_against_every_order_of_equal_scores(seed: int) -> None:
    rng = np.random.default_rng(seed)
    num_texts, num_videos = int(rng.integers(2, 7)), int(rng.integers(1, 6))
    matrix = rng.integers(-1, rng.integers(1, 4), size=(num_texts, num_videos)).astype(np.float32)
    video_index = rng.integers(num_videos, size=num_texts)
    found = ranks(paired(matrix, video_index))
    expected = found["t2v"].expected()
    for row in range(num_texts):
        rank, hits = by_every_order(matrix[row].tolist(), {int(video_index[row])})
        assert expected[row] == pytest.approx(rank)
        for k, hit in hits.items():
            assert found["t2v"].hits(k)[row] == pytest.approx(hit)
    expected = found["v2t"].expected()
    asking = sorted(set(video_index.tolist()))
    assert len(expected) == len(asking)
    for query, column in enumerate(asking):
        rank, hits = by_every_order(matrix[:, column].tolist(), set(np.flatnonzero(video_index == column).tolist()))
        assert expected[query] == pytest.approx(rank)
        for k, hit in hits.items():
            assert found["v2t"].hits(k)[query] == pytest.approx(hit)


@pytest.mark.parametrize("seed", range(3))
def test_against_many_random_orders(seed: int) -> None:
    """Larger, with more equals than `k`: figures are means over shuffles of texts and videos that are then sorted."""
    rng = np.random.default_rng(seed)
    video_index = np.append(rng.integers(12, size=50), [3, 3, 12])
    matrix = rng.integers(4, size=(len(video_index), 14)).astype(np.float16)
    found = ranks(paired(matrix, video_index, (7, 5)))
    drawn: dict[str, list[dict[str, float]]] = {"t2v": [], "v2t": []}
    for _ in range(400):
        noise = rng.random(matrix.shape) * 0.5
        place = np.argsort(np.argsort(-(matrix + noise), axis=1), axis=1)
        drawn["t2v"].append(named(1 + place[np.arange(len(video_index)), video_index]))
        place = np.argsort(np.argsort(-(matrix + noise), axis=0), axis=0)
        drawn["v2t"].append(
            named(np.array([1 + place[video_index == own, own].min() for own in np.unique(video_index)]))
        )
    for direction, own in found.items():
        figures = own.figures()
        for name in ("r@1", "r@5", "r@10", "mean_rank"):
            values = [one[name] for one in drawn[direction]]
            assert abs(figures[name] - np.mean(values)) < 5 * np.std(values) / 20 + 1e-9, (direction, name)


def named(rank: Int[np.ndarray, " Q"]) -> dict[str, float]:
    return {**{f"r@{k}": float((rank <= k).mean()) for k in RECALLS}, "mean_rank": float(rank.mean())}


def test_by_hand() -> None:
    matrix = np.array(
        [
            [0.9, 0.1, 0.3, 0.5],  # first
            [0.2, 0.8, 0.2, 0.2],  # equal to two others, below one
            [0.5, 0.5, 0.5, 0.5],  # equal to all
            [0.7, 0.6, 0.8, 0.1],  # last
        ]
    )
    found = ranks(paired(matrix, [0, 0, 1, 3]))
    assert [column.tolist() for column in found["t2v"]] == [[0, 1, 0, 3], [0, 2, 3, 0], [1, 1, 1, 1]]
    assert found["t2v"].expected().tolist() == [1, 3, 2.5, 4]
    assert found["t2v"].hits(1) == pytest.approx([1, 0, 1 / 4, 0])
    assert found["t2v"].hits(3) == pytest.approx([1, 2 / 3, 3 / 4, 0])
    assert found["t2v"].num_tied == 2
    # Video 2 has no text, and looks for none.
    assert found["v2t"].expected().tolist() == [1, 3, 4]
    figures = found["t2v"].figures()
    assert list(figures) == ["r@1", "r@5", "r@10", "median_rank", "mean_rank"]
    assert figures == pytest.approx({"r@1": 1.25 / 4, "r@5": 1, "r@10": 1, "median_rank": 2.75, "mean_rank": 10.5 / 4})


def test_a_model_that_scores_everything_alike_is_a_guess() -> None:
    found = ranks(paired(np.zeros((40, 20), np.float32), np.arange(40) % 20, (7, 6)))
    assert found["t2v"].figures() == pytest.approx(
        {"r@1": 0.05, "r@5": 0.25, "r@10": 0.5, "median_rank": 10.5, "mean_rank": 10.5}
    )
    # Two right ones among 40: the first is met after a third of the 38 others.
    assert found["v2t"].figures() == pytest.approx(
        {
            "r@1": 2 / 40,
            "r@5": 1 - 35 * 34 / (40 * 39),
            "r@10": 1 - 30 * 29 / (40 * 39),
            "median_rank": 41 / 3,
            "mean_rank": 41 / 3,
        }
    )


def test_own_captions_that_are_equal_help() -> None:
    matrix = np.array([[2.0], [2.0], [2.0], [1.0], [3.0]])
    other = np.zeros((5, 1))
    found = ranks(paired(np.hstack([matrix, other]), [0, 0, 1, 0, 1]))["v2t"]
    assert [column[0] for column in found] == [1, 1, 2]
    assert found.expected()[0] == pytest.approx(1 + 1 + 1 / 3)
    assert found.hits(2)[0] == pytest.approx(2 / 3)


def made_up(seed: int = 0) -> tuple[Float[np.ndarray, "C D"], Float[np.ndarray, "V D"], Int[np.ndarray, " C"]]:
    """Features with the same video, and the same caption, several times; some videos have no caption."""
    rng = np.random.default_rng(seed)
    videos = rng.standard_normal((23, 40)).astype(np.float32)
    videos[[3, 11, 22]] = videos[0]
    video_index = rng.integers(18, size=61)
    texts = (videos[video_index] + 2 * rng.standard_normal((61, 40))).astype(np.float32)
    texts[[5, 30, 60]] = texts[2]
    return texts, videos, video_index


@pytest.mark.parametrize(
    "block", [pytest.param((1, 1), marks=pytest.mark.slow), (7, 5), (16, 64), (61, 23), (1000, 1000)]
)
def test_blocks_change_nothing(block: tuple[int, int]) -> None:
    texts, videos, video_index = made_up()
    scores = PairedScores(FeatureScores(texts, videos, block=block), video_index)
    matrix = (texts.astype(np.float64) @ videos.T.astype(np.float64)).astype(np.float32)
    for source in (scores, paired(matrix, video_index, block)):
        for direction, expected in by_the_whole(matrix, video_index).items():
            for column, expected_column in zip(ranks(source)[direction], expected, strict=True):
                np.testing.assert_array_equal(column, expected_column)
        for k in (1, 4, 100):
            for best, of_queries in ((top(source, k, "t2v"), matrix), (top(source, k, "v2t"), matrix.T)):
                order = np.argsort(-of_queries, axis=1, kind="stable")[:, :k]
                np.testing.assert_array_equal(best.numbers, order)
                np.testing.assert_array_equal(best.scores, np.take_along_axis(of_queries, order, 1))
    assert ranks(scores)["t2v"].num_tied > 5
    np.testing.assert_array_equal(scores.positives, matrix[np.arange(61), video_index])


def by_the_whole(matrix: Float[np.ndarray, "C V"], video_index: Int[np.ndarray, " C"]) -> dict[Direction, Ranks]:
    own = matrix[np.arange(len(video_index)), video_index]
    others = matrix.copy()
    others[np.arange(len(video_index)), video_index] = np.nan
    rows = [(others[row] > own[row], others[row] == own[row], [True]) for row in range(len(video_index))]
    columns = []
    for column in np.unique(video_index):
        best = own[video_index == column].max()
        columns.append((others[:, column] > best, others[:, column] == best, own[video_index == column] == best))
    t2v, v2t = (
        Ranks(*(np.array([np.sum(one) for one in which]) for which in zip(*queries, strict=True)))
        for queries in (rows, columns)
    )
    return {"t2v": t2v, "v2t": v2t}


def test_best_answers_of_equal_scores_come_by_number() -> None:
    for block in BLOCKS:
        best = top(paired(np.zeros((4, 6)), [0, 1, 2, 3], block), 3, "t2v")
        assert best.numbers.tolist() == [[0, 1, 2]] * 4
        best = top(paired(np.zeros((4, 6)), [0, 1, 2, 3], block), 9, "v2t")
        assert best.numbers.tolist() == [[0, 1, 2, 3]] * 6


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint16])
def test_a_matrix_is_compared_as_it_is(dtype: type) -> None:
    matrix: np.ndarray = np.array([[5, 6], [6, 6]]).astype(dtype)
    assert ranks(paired(matrix, [0, 1]))["t2v"].expected().tolist() == [2, 1.5]
    assert matrix.tolist() == [[5, 6], [6, 6]]


def test_numbers_that_single_precision_cannot_tell_apart() -> None:
    for row in ([1, 1 + 1e-12], [2**40, 2**40 + 1]):
        assert ranks(paired(np.array([row]), [0]))["t2v"].expected().tolist() == [2]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite(value: float) -> None:
    matrix = np.zeros((5, 6), np.float32)
    matrix[4, 3] = value
    with pytest.raises(NotFiniteError, match=rf"scores: the score in row 4, column 3 is {value}"):
        ranks(paired(matrix, [0] * 5))
    with pytest.raises(NotFiniteError, match=rf"scores: the score in row 4, column 3 is {value}"):
        paired(matrix, [3] * 5)
    texts, videos, _ = made_up()
    videos[7, 1] = value
    with pytest.raises(NotFiniteError, match="scores: the features of column 7 hold NaN or infinity"):
        FeatureScores(texts, videos, block=(2, 2))


def test_products_that_overflow() -> None:
    big = np.array([[1e30]], np.float32)
    with pytest.raises(NotFiniteError, match="row 0, column 0 is inf"):
        PairedScores(FeatureScores(big, big), np.array([0]))


def test_nothing_to_rank() -> None:
    with pytest.raises(ValueError, match="0 rows and 3 columns; retrieval needs one of each"):
        MatrixScores(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="2 rows and 0 columns; retrieval needs one of each"):
        FeatureScores(np.zeros((2, 4)), np.zeros((0, 4)))


@pytest.mark.parametrize(
    ("video_index", "message"),
    [([0], "2 rows, but the videos of 1 texts"), ([0, 3], "columns 0 to 2, not 0 to 3"), ([-1, 0], "not -1 to 0")],
)
def test_owners_that_cannot_be(video_index: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        paired(np.zeros((2, 3)), video_index)
