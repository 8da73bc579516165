"""Ranks of retrieval block by block against the common way, which sorts the whole matrix of scores.

59,800 captions of 2,990 videos, as MSR-VTT's full test has them, with features of 512 numbers; nothing is drawn from
real data. The common way sorts all of each query's scores and looks where its own stand, as CLIP4Clip's metrics do.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from prompt_video.bench.measure import CPU, added_memory, interleaved
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.metrics.retrieval.paired import PairedScores
from prompt_video.metrics.retrieval.ranks import Ranks, ranks
from prompt_video.metrics.retrieval.rescoring import Direction
from prompt_video.metrics.retrieval.scores import FeatureScores

NUM_VIDEOS, NUM_CAPTIONS, WIDTH = 2990, 20, 512


def speed(setting: Setting, num_videos: int, rounds: int) -> Figures:
    """How many times faster ours is; both give the same ranks.

    Args:
        setting: where.
        num_videos: of 20 captions each.
        rounds: in which the two are timed.
    """
    texts, videos, video_index = features(num_videos)
    ours: list[dict[Direction, Ranks]] = []
    sorted_: list[dict[Direction, np.ndarray]] = []
    calls: dict[str, Callable[[], object]] = {
        "ours": lambda: ours.append(by_blocks(texts, videos, video_index)),
        "sorting": lambda: sorted_.append(by_sorting(texts, videos, video_index)),
    }
    seconds = interleaved(calls, rounds, warm_up=False)
    for direction, found in ours[-1].items():
        # Sorting puts equal scores in some order.
        behind = sorted_[-1][direction] - 1 - found.better
        assert (behind >= 0).all(), f"{direction}: the ranks are not the same"
        assert (behind <= found.equal).all(), f"{direction}: the ranks are not the same"
    return {
        "videos": float(num_videos),
        "speedup": seconds["sorting"] / seconds["ours"],
        "seconds": seconds["ours"],
        "t2v_r@10": ours[-1]["t2v"].figures()["r@10"],
        "v2t_r@10": ours[-1]["v2t"].figures()["r@10"],
    }


def memory(setting: Setting, num_videos: int) -> Figures:
    """MiB that ours adds."""
    return {"added_mib": added_memory(CPU, prepared, num_videos)}


MEASUREMENTS = (
    Measurement(
        speed,
        (
            Size(f"{NUM_VIDEOS:,} videos", 6500, 75, {"num_videos": NUM_VIDEOS, "rounds": 3}),
            Size("1,000 videos", 1700, 9, {"num_videos": 1000, "rounds": 3}),
            Size("600 videos", 1200, 4, {"num_videos": 600, "rounds": 3}, quick=True),
        ),
        on="host",
    ),
    Measurement(
        memory,
        (
            Size(f"memory of {NUM_VIDEOS:,} videos", 1000, 8, {"num_videos": NUM_VIDEOS}),
            Size("memory of 600 videos", 800, 3, {"num_videos": 600}, quick=True),
        ),
        on="host",
        apart=False,
    ),
)


def features(num_videos: int) -> tuple[Float[np.ndarray, "C D"], Float[np.ndarray, "V D"], Int[np.ndarray, " C"]]:
    """Unit vectors; a caption is its video with a lot of noise."""
    rng = np.random.default_rng(0)
    video_index = np.arange(num_videos).repeat(NUM_CAPTIONS)
    videos = rng.standard_normal((num_videos, WIDTH), dtype=np.float32)
    texts = videos[video_index] + 6 * rng.standard_normal((len(video_index), WIDTH), dtype=np.float32)
    for side in (texts, videos):
        side /= np.linalg.norm(side, axis=1, keepdims=True)
    return texts, videos, video_index


def prepared(num_videos: int) -> Callable[[], object]:
    """Ours, ready to be called."""
    by_blocks(*features(100))  # what libraries allocate when they are first used
    return partial(by_blocks, *features(num_videos))


def by_blocks(
    texts: Float[np.ndarray, "C D"], videos: Float[np.ndarray, "V D"], video_index: Int[np.ndarray, " C"]
) -> dict[Direction, Ranks]:
    """Ours."""
    return ranks(PairedScores(FeatureScores(texts, videos), video_index))


def by_sorting(
    texts: Float[np.ndarray, "C D"], videos: Float[np.ndarray, "V D"], video_index: Int[np.ndarray, " C"]
) -> dict[Direction, np.ndarray]:
    """The rank of each caption's video, and of each video's first caption, from the whole matrix."""
    scores = (texts.astype(np.float64) @ videos.astype(np.float64).T).astype(np.float32)
    # Whether the answer at each place of a query is its own: the first that is gives the rank.
    is_right = np.argsort(-scores, axis=1) == video_index[:, None]
    by_text = 1 + is_right.argmax(1)
    is_right = video_index[np.argsort(-scores.T, axis=1)] == np.arange(len(videos))[:, None]
    return {"t2v": by_text, "v2t": 1 + is_right.argmax(1)}
