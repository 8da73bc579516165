"""What a test found out: of one part of a data set, and of several parts together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from statistics import mean, stdev

import torch
from jaxtyping import Float, Int
from torch import Tensor, distributed


@dataclass(frozen=True)
class Prediction:
    """One test video: the truth and the best guess, both as class index."""

    video_id: str
    target: int
    pred: int
    probability: float
    in_top5: bool
    frozen_pred: int


class ClassificationResults:
    """Guesses on one part, each video counted once however many processes there are.

    Args:
        class_names: the candidates.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = list(class_names)
        self.videos: list[Prediction] = []

    def reset(self) -> None:
        """Forget everything."""
        self.videos = []

    def update(
        self,
        video_ids: Sequence[str],
        target: Int[Tensor, " B"],
        learned: Float[Tensor, "B K"],
        frozen: Float[Tensor, "B K"],
    ) -> None:
        """Add the probabilities of some videos."""
        best = learned.max(-1)
        top5 = (learned.topk(min(5, learned.shape[-1])).indices == target[:, None]).any(-1)
        columns = (target, best.indices, best.values, top5, frozen.argmax(-1))
        rows = zip(video_ids, *(column.tolist() for column in columns), strict=True)
        self.videos.extend(Prediction(*row) for row in rows)

    def gather(self) -> None:
        """Bring together what all processes have, in the order of the part."""
        if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            shares: list[list[Prediction]] = [[] for _ in range(distributed.get_world_size())]
            distributed.all_gather_object(shares, self.videos)
            # Videos were dealt out in turn.
            dealt = chain.from_iterable(zip_longest(*shares))
            self.videos = [video for video in dealt if video is not None]

    def figures(self) -> dict[str, float]:
        """Top-1, top-5 and mean class accuracy, and the top-1 of the frozen CLIP."""
        matrix = self.confusion()
        videos = matrix.sum(1)  # of each class; some may have none
        return {
            "top1": float(mean(video.pred == video.target for video in self.videos)),
            "top5": float(mean(video.in_top5 for video in self.videos)),
            "mean_class": (matrix.diagonal()[videos > 0] / videos[videos > 0]).mean().item(),
            "frozen_top1": float(mean(video.frozen_pred == video.target for video in self.videos)),
        }

    def confusion(self) -> Int[Tensor, "K K"]:
        """Counts, rows the truth, columns the guess."""
        matrix = torch.zeros(len(self.class_names), len(self.class_names), dtype=torch.long)
        for video in self.videos:
            matrix[video.target, video.pred] += 1
        return matrix


def combined(
    figures: Mapping[str, Mapping[str, float]], harmonic_means: Mapping[str, tuple[str, str]]
) -> dict[str, float]:
    """What several tests come to.

    Args:
        figures: of each test.
        harmonic_means: name -> the two tests whose top-1 it is the harmonic mean of.

    Returns:
        The only test's figures as ``test/top1`` and so on; of several, each as ``test/<name>/top1``, then the harmonic
        means as ``test/<name>``, or the average and standard deviation over the tests where none are asked for.
    """
    if list(figures) == ["test"]:
        return {f"test/{key}": value for key, value in figures["test"].items()}
    together = {f"test/{name}/{key}": value for name, values in figures.items() for key, value in values.items()}
    for name, (one, other) in harmonic_means.items():
        if one in figures and other in figures:
            together[f"test/{name}"] = harmonic_mean(figures[one]["top1"], figures[other]["top1"])
            frozen = harmonic_mean(figures[one]["frozen_top1"], figures[other]["frozen_top1"])
            together[f"test/frozen_{name}"] = frozen
    if not harmonic_means and figures:
        for key in next(iter(figures.values())):
            values = [test[key] for test in figures.values()]
            together[f"test/{key}"] = mean(values)
            if len(values) > 1:
                together[f"test/{key}_std"] = stdev(values)
    return together


def harmonic_mean(one: float, other: float) -> float:
    """Of two figures; 0 if either is."""
    return 2 * one * other / (one + other) if one and other else 0.0
