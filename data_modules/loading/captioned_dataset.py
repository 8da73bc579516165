"""Index to captioned sample: the views of `VideoDataset`, with the sentences that belong to them."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from data_modules.batch import Batch, BrokenVideo, CaptionColumns, CaptionedRecord, CaptionedSample
from data_modules.features.encoder import FrameTransform
from data_modules.features.store import FeatureStore
from data_modules.loading.dataset import Collate, KeyedDataset, VideoDataset
from data_modules.loading.sample_keys import SampleKey
from data_modules.loading.sampling import Sampler

Pairs = Literal["every_caption", "one_caption"]


class CaptionedDataset(KeyedDataset[CaptionedSample | BrokenVideo]):
    """In training pairs of a video and one of its captions; in testing videos, each with all of its captions.

    Args:
        records: the videos.
        sampler: which moments of a video to look at.
        sources: a feature store or, to decode frames, how to crop them.
        training: one random view; otherwise the sampler's test views.
        seed: of random moments and captions.
        pairs: what an epoch of training is, see `CaptionedDataModule`.
    """

    def __init__(
        self,
        records: Sequence[CaptionedRecord],
        sampler: Sampler,
        sources: Sequence[FeatureStore] | Sequence[FrameTransform],
        *,
        training: bool,
        seed: int,
        pairs: Pairs = "every_caption",
    ) -> None:
        self.training, self.seed, self.pairs = training, seed, pairs
        # An entry of the epoch: the video, and the place of its caption where that is not drawn.
        self.entries = [(record, -1) for record in records]
        if training and pairs == "every_caption":
            self.entries = [(record, place) for record in records for place in range(len(record.captions))]
        views = [record for record, _ in self.entries]
        self._views = VideoDataset(views, sampler, sources, training=training, seed=seed)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitems__(self, sample_keys: Sequence[SampleKey]) -> list[CaptionedSample | BrokenVideo]:
        """The views of `VideoDataset`, each with one caption, drawn by its key, or in testing with all of them."""
        samples: list[CaptionedSample | BrokenVideo] = []
        for sample_key, sample in zip(sample_keys, self._views.__getitems__(sample_keys), strict=True):
            if isinstance(sample, BrokenVideo):
                samples.append(sample)
            else:
                samples.append(CaptionedSample(**sample, captions=self._captions(sample_key)))
        return samples

    def _captions(self, sample_key: SampleKey) -> tuple[str, ...]:
        record, place = self.entries[sample_key[1]]
        if not self.training:
            return record.captions
        if place < 0:
            # Apart from the chance in the moments, which the same numbers decide.
            place = int(np.random.default_rng((self.seed, *sample_key, 1)).integers(len(record.captions)))
        return (record.captions[place],)


class CollateCaptions:
    """Captioned samples to a batch; broken videos, and their captions, are set aside.

    Args:
        subset: of the trial, that every batch names.
    """

    def __init__(self, subset: str) -> None:
        self.videos = Collate(subset, [])

    def __call__(self, items: Sequence[CaptionedSample | BrokenVideo]) -> Batch:
        """Stack the samples that could be loaded; their captions are the texts, video after video."""
        batch = self.videos(items)
        samples = [item for item in items if not isinstance(item, BrokenVideo)]
        places = [place for place, sample in enumerate(samples) for _ in sample["captions"]]
        batch["text"] = [caption for sample in samples for caption in sample["captions"]]
        batch["captions"] = CaptionColumns(video=torch.tensor(places, dtype=torch.long))
        return batch
