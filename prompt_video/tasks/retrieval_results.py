"""What a validation or a test of retrieval comes to: ranks by features of this model and of the frozen backbone."""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_modules.batch import CaptionedRecord
from data_modules.errors import InputError
from data_modules.protocols.trial import Subset
from prompt_video.metrics.retrieval.metric import RetrievalMetrics
from prompt_video.metrics.retrieval.paired import AlsoRight
from prompt_video.metrics.retrieval.results import Retrieval
from prompt_video.metrics.retrieval.scores import Pairing
from prompt_video.tasks.results import Results


class Pairs(NamedTuple):
    """Features whose dot products are the scores, or what the temporal encoder makes of them."""

    videos: Float[Tensor, "B E"]
    texts: Float[Tensor, "K D"]


@dataclass(frozen=True)
class Answers:
    """A finished test: its videos and captions in the order of the part, without those that could not be used.

    Args:
        video_ids: of the videos.
        captions: of all videos.
        learned: scores of this model.
        frozen: of the frozen backbone.
    """

    video_ids: Sequence[str]
    captions: Sequence[str]
    learned: Retrieval
    frozen: Retrieval

    def best_videos(self, count: int) -> Iterator[dict[str, Any]]:
        """For each caption the ``count`` videos with the greatest scores, best first, ready for JSON."""
        best = self.learned.top(count, "t2v")
        for number, caption in enumerate(self.captions):
            videos = zip(best.numbers[number].tolist(), best.scores[number].tolist(), strict=True)
            yield {"caption": caption, "scores": {self.video_ids[video]: score for video, score in videos}}


class RetrievalResults(Results):
    """Features of one subset, batch by batch, on any number of processes.

    Args:
        subset: of the trial.
        with_frozen: whether the frozen backbone's figures are among those that are computed.
        pairing: scores of this model, where they are no dot products.
    """

    def __init__(self, subset: Subset, with_frozen: bool = True, pairing: Pairing | None = None) -> None:
        super().__init__()
        self.records = [record for record in subset.records if isinstance(record, CaptionedRecord)]
        self._number = {record.video_id: number for number, record in enumerate(self.records)}
        counts = torch.tensor([len(record.captions) for record in self.records])
        self._first = (counts.cumsum(0) - counts).tolist()  # number of each video's first caption
        self.learned, self.frozen = RetrievalMetrics(), RetrievalMetrics()
        self.learned.pairing = pairing
        self.learned.also_right = self.frozen.also_right = self._also_right()
        self.with_frozen = with_frozen
        self.answers: Answers | None = None  # once all is gathered

    def reset(self) -> None:
        """Forget all features and ranks, as before a new epoch of validation or a new test."""
        self.learned.reset()
        self.frozen.reset()
        self.answers = None

    def update(self, video_ids: Sequence[str], caption_video: Int[Tensor, " K"], learned: Pairs, frozen: Pairs) -> None:
        """Add some videos, each with all of its captions in their order.

        Args:
            video_ids: each once in the whole test.
            caption_video: for each caption, the place of its video in ``video_ids``.
            learned: features of this model.
            frozen: of the frozen backbone.
        """
        numbers = [self._number[video_id] for video_id in video_ids]
        texts = [first + k for n in numbers for first in [self._first[n]] for k in range(len(self.records[n].captions))]
        video = torch.tensor(numbers, device=learned.videos.device)
        text = torch.tensor(texts, device=learned.videos.device)
        for metric, pairs in ((self.learned, learned), (self.frozen, frozen)):
            metric.update(pairs.texts, pairs.videos, text, video[caption_video], video)

    def gather(self) -> None:
        """Bring together what all processes have.

        Raises:
            InputError: when nothing can be made of it: no video could be read, or features are no numbers.
        """
        learned, frozen = self._of_all_processes(self.learned), self._of_all_processes(self.frozen)
        captions = [caption for record in self.records for caption in record.captions]
        self.answers = Answers(
            [self.records[number].video_id for number in learned.video.tolist()],
            [captions[number] for number in learned.text.tolist()],
            learned,
            frozen,
        )

    def compute(self) -> dict[str, float]:
        """Ranks in both directions, ``t2v/r@1`` and so on, and those of the frozen backbone as ``t2v/frozen_r@1``."""
        assert self.answers is not None
        figures = self.answers.learned.figures()
        if self.with_frozen:
            for key, value in self.answers.frozen.figures().items():
                direction, _, figure = key.partition("/")
                figures[f"{direction}/frozen_{figure}"] = value
        return figures

    def _also_right(self) -> AlsoRight | None:
        """Numbers of captions and of videos that they tell of too; None where there are none."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for record, first in zip(self.records, self._first, strict=True):
            for place, caption in enumerate(record.captions, start=first):
                numbers[caption].append(place)
        pairs = [
            (text, number)
            for number, record in enumerate(self.records)
            for caption in record.also_right
            for text in numbers.get(caption, ())
        ]
        return np.array(pairs, dtype=np.int64) if pairs else None

    def _of_all_processes(self, metric: RetrievalMetrics) -> Retrieval:
        with warnings.catch_warnings():
            # That a process had no video is no mistake.
            warnings.filterwarnings("ignore", message=".*was called before the ``update`` method.*")
            try:
                return metric.retrieval()
            except ValueError as error:
                raise InputError(
                    f"{len(self.records)} videos and their captions cannot be scored: {error} Those that could not be "
                    "read do not count; not a number is what comes of training at too high a rate."
                ) from error
