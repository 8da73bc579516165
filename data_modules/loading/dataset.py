"""Index to sample: from decoded frames or from stored features."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch.utils.data import Dataset

from data_modules.batch import Batch, BrokenVideo, Record, Sample
from data_modules.errors import BrokenVideoError
from data_modules.features.encoder import FrameTransform
from data_modules.features.store import FeatureStore
from data_modules.loading.sample_keys import SampleKey
from data_modules.loading.sampling import Sampler
from data_modules.video.decoding import VideoReader
from data_modules.video.timeline import tick_starts

T = TypeVar("T")


class KeyedDataset(Dataset[T], ABC):
    """Samples by key (epoch, index), which names a sample completely.

    The same key gives the same sample whatever the batch size, the number of workers or the number of devices.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitems__(self, sample_keys: Sequence[SampleKey]) -> list[T]:
        """A whole batch at once, as PyTorch's loader asks for it: a store is then read in one call."""

    def __getitem__(self, sample_key: SampleKey) -> T:
        return self.__getitems__([sample_key])[0]

    @property
    def videos(self) -> Sequence[int]:
        """Which video each sample is of."""
        return range(len(self))


class VideoDataset(KeyedDataset[Sample | BrokenVideo]):
    """The videos of one split, some moments of each.

    Args:
        records: the videos.
        sampler: which moments to look at.
        sources: feature stores or, to decode frames, how to crop them. Each of them gives its own views: a video has
            as many views as moments were chosen times sources.
        training: one random view; otherwise the sampler's test views.
        seed: of the random moments.
    """

    def __init__(
        self,
        records: Sequence[Record],
        sampler: Sampler,
        sources: Sequence[FeatureStore] | Sequence[FrameTransform],
        *,
        training: bool,
        seed: int,
    ) -> None:
        self.records = records
        self.sampler = sampler
        self.stores = [source for source in sources if isinstance(source, FeatureStore)]
        self.crops = [source for source in sources if isinstance(source, FrameTransform)]
        self.training = training
        self.seed = seed

    def __len__(self) -> int:
        return len(self.records)

    def __getitems__(self, sample_keys: Sequence[SampleKey]) -> list[Sample | BrokenVideo]:
        """Decoded or stored views of each video, in the order of the keys; one that cannot be decoded is named."""
        if self.crops:
            return [self._decode(sample_key) for sample_key in sample_keys]
        by_store = [self._read(store, sample_keys) for store in self.stores]
        return [_joined(views) for views in zip(*by_store, strict=True)]

    def _moments(self, sample_key: SampleKey, duration_sec: float, frame_rate: float) -> Float64[np.ndarray, "V T"]:
        """Seconds from the first frame: where sound comes first, nothing is to be seen before it."""
        rng = np.random.default_rng((self.seed, *sample_key))
        choose = self.sampler.train if self.training else self.sampler.test
        return choose(duration_sec, frame_rate, rng)

    def _read(self, store: FeatureStore, sample_keys: Sequence[SampleKey]) -> list[Sample]:
        requests, times = [], []
        for sample_key in sample_keys:
            video_id = self.records[sample_key[1]].video_id
            stored = store.times_sec(video_id)
            duration_sec = store.duration_sec(video_id)
            start_sec = float(tick_starts(stored[:1], store.recipe.frame_rate)[0])
            length_sec = duration_sec - start_sec
            moments = start_sec + self._moments(sample_key, length_sec, len(stored) / length_sec)
            rows = store.rows_at(video_id, moments.reshape(-1))
            requests.append((video_id, rows))
            times.append(torch.from_numpy(stored[rows]).float().reshape(moments.shape))
        features = iter(torch.split(store.gather(requests), [len(rows) for _, rows in requests]))
        return [
            Sample(
                features=next(features).reshape(*time_sec.shape, -1),
                time_sec=time_sec,
                target=self.records[index].target,
                targets=self.records[index].targets,
                video_id=self.records[index].video_id,
            )
            for (_, index), time_sec in zip(sample_keys, times, strict=True)
        ]

    def _decode(self, sample_key: SampleKey) -> Sample | BrokenVideo:
        record = self.records[sample_key[1]]
        try:
            with VideoReader(record.path) as reader:
                timeline = reader.timeline
                length_sec = timeline.duration_sec - timeline.start_sec
                moments = timeline.start_sec + self._moments(sample_key, length_sec, timeline.frame_rate)
                squares, time_sec = reader.decode(
                    moments.reshape(-1),
                    lambda frame: torch.stack([crop(frame, reader.pixel_aspect) for crop in self.crops]),
                )
        except BrokenVideoError as error:
            return BrokenVideo(record.video_id, str(record.path), error.reason)
        return Sample(
            video=torch.cat([torch.unflatten(square, 0, moments.shape) for square in squares.unbind(1)]),
            time_sec=time_sec.reshape(moments.shape).repeat(len(self.crops), 1),
            target=record.target,
            targets=record.targets,
            video_id=record.video_id,
        )


class InOrder(Dataset[T]):
    """The samples that are tested, by plain index, for Lightning's predict loop, which brings samplers of its own."""

    def __init__(self, dataset: KeyedDataset[T]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> T:
        return self.dataset[0, index]


class Collate:
    """Samples to a batch; broken videos are set aside, never replaced.

    Args:
        subset: of the trial, that every batch names.
        class_names: the candidates that every batch carries.
    """

    def __init__(self, subset: str, class_names: Sequence[str]) -> None:
        self.subset = subset
        self.class_names = list(class_names)

    def __call__(self, items: Sequence[Sample | BrokenVideo]) -> Batch:
        """Stack the views of the samples that could be loaded, and set the broken ones aside."""
        broken = [item for item in items if isinstance(item, BrokenVideo)]
        samples = [item for item in items if not isinstance(item, BrokenVideo)]
        time_sec = _stack_views([sample["time_sec"] for sample in samples])
        batch = Batch(
            mask=torch.ones(time_sec.shape[:2], dtype=torch.bool),
            time_sec=time_sec,
            text=self.class_names,
            subset=self.subset,
            target=torch.tensor([sample["target"] for sample in samples], dtype=torch.long),
            targets=_shown_by([sample["targets"] for sample in samples], len(self.class_names)),
            video_id=[sample["video_id"] for sample in samples],
            num_views=len(samples[0]["time_sec"]) if samples else 1,
            broken=broken,
        )
        if samples and "features" in samples[0]:
            batch["features"] = _stack_views([sample["features"] for sample in samples])
        elif samples:
            batch["video"] = _stack_views([sample["video"] for sample in samples])
        return batch


def _shown_by(targets: Sequence[tuple[int, ...]], num_classes: int) -> Bool[torch.Tensor, "B K"]:
    shown = torch.zeros(len(targets), num_classes, dtype=torch.bool)
    for row, own in zip(shown, targets, strict=True):
        row[list(own)] = True
    return shown


def _stack_views(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """(V, T, ...) of each sample to (B * V, T, ...)."""
    return torch.cat(list(tensors)) if tensors else torch.empty(0, 0)


def _joined(views: Sequence[Sample]) -> Sample:
    """One video as several stores have it."""
    if len(views) == 1:
        return views[0]
    return Sample(
        features=torch.cat([sample["features"] for sample in views]),
        time_sec=torch.cat([sample["time_sec"] for sample in views]),
        target=views[0]["target"],
        targets=views[0]["targets"],
        video_id=views[0]["video_id"],
    )
