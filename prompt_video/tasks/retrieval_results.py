"""What a retrieval test gathers: features of videos and captions by this model and by the frozen CLIP."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from data_modules.batch import CaptionedRecord
from data_modules.errors import InputError
from data_modules.protocols.trial import Subset
from prompt_video.metrics.retrieval.metric import RetrievalMetrics
from prompt_video.metrics.retrieval.results import Retrieval


class Pairs(NamedTuple):
    """Features whose dot products are the scores."""

    videos: Float[Tensor, "B D"]
    texts: Float[Tensor, "K D"]


@dataclass(frozen=True)
class Answers:
    """A finished test: its videos and captions in the order of the part, without those that could not be used.

    Args:
        video_ids: of the videos.
        captions: of all videos.
        learned: scores of this model.
        frozen: of the frozen CLIP.
    """

    video_ids: Sequence[str]
    captions: Sequence[str]
    learned: Retrieval
    frozen: Retrieval


class RetrievalResults(nn.Module):
    """Features of one part, batch by batch, on any number of processes.

    Args:
        subset: of the trial.
    """

    def __init__(self, subset: Subset) -> None:
        super().__init__()
        self.records = [record for record in subset.records if isinstance(record, CaptionedRecord)]
        self._number = {record.video_id: number for number, record in enumerate(self.records)}
        counts = torch.tensor([len(record.captions) for record in self.records])
        self._first = (counts.cumsum(0) - counts).tolist()  # number of each video's first caption
        self.learned, self.frozen = RetrievalMetrics(), RetrievalMetrics()

    def reset(self) -> None:
        """Forget everything."""
        self.learned.reset()
        self.frozen.reset()

    def add(self, video_ids: Sequence[str], caption_video: Int[Tensor, " K"], learned: Pairs, frozen: Pairs) -> None:
        """Some videos, each with all of its captions in their order.

        Args:
            video_ids: each once in the whole test.
            caption_video: for each caption, the place of its video in ``video_ids``.
            learned: features of this model.
            frozen: of the frozen CLIP.
        """
        numbers = [self._number[video_id] for video_id in video_ids]
        texts = [first + k for n in numbers for first in [self._first[n]] for k in range(len(self.records[n].captions))]
        video = torch.tensor(numbers, device=learned.videos.device)
        text = torch.tensor(texts, device=learned.videos.device)
        for metric, pairs in ((self.learned, learned), (self.frozen, frozen)):
            metric.update(pairs.texts, pairs.videos, text, video[caption_video], video)

    def figures(self) -> dict[str, float]:
        """Of this model alone; see `finish`."""
        return self._of_all_processes(self.learned).figures()

    def finish(self) -> Answers:
        """Bring together what all processes have.

        Raises:
            InputError: when nothing can be made of it: no video could be read, or features are no numbers.
        """
        learned, frozen = self._of_all_processes(self.learned), self._of_all_processes(self.frozen)
        captions = [caption for record in self.records for caption in record.captions]
        return Answers(
            [self.records[number].video_id for number in learned.video.tolist()],
            [captions[number] for number in learned.text.tolist()],
            learned,
            frozen,
        )

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
