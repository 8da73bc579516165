"""The training batches of several trials, step by step, each trial's in its own order."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from data_modules.batch import Batch
from data_modules.loading.loaders import LoaderOptions
from data_modules.loading.sample_keys import LazyLoader, SampleKey
from data_modules.modules.base import VideoDataModule

StepKeys = list[list[SampleKey]]  # of each trial's batch


class StackedData(LightningDataModule):
    """Videos of trials that make equally many steps an epoch.

    Args:
        trials: the data of each trial alone.
    """

    def __init__(self, trials: Sequence[VideoDataModule]) -> None:
        super().__init__()
        self.trials = list(trials)

    def train_dataloader(self) -> DataLoader[list[Batch]]:
        """A batch of each trial; one set of processes loads for all."""
        for data in self.trials:
            data.trainer = self.trainer  # whose progress says where a resumed epoch goes on
        loaders = [data.train_dataloader() for data in self.trials]
        return LazyLoader(_Steps(loaders), batch_size=None, sampler=_StepSampler(loaders), **_options_of(loaders[0]))

    def transfer_batch_to_device(self, batch: list[Batch], device: torch.device, dataloader_idx: int) -> list[Batch]:
        """Each as its trial's data do."""
        pairs = zip(self.trials, batch, strict=True)
        return [data.transfer_batch_to_device(own, device, dataloader_idx) for data, own in pairs]


class _Steps(Dataset[list[Batch]]):
    """The batches of a step, by the keys of their samples."""

    def __init__(self, loaders: Sequence[DataLoader[Batch]]) -> None:
        self.parts = [(cast(Any, loader.dataset), loader.collate_fn) for loader in loaders]

    def __getitem__(self, step: StepKeys) -> list[Batch]:
        return [collate(dataset.__getitems__(keys)) for (dataset, collate), keys in zip(self.parts, step, strict=True)]


class _StepSampler(Sampler[StepKeys]):
    """The steps of an epoch; of a resumed one, those that are left."""

    def __init__(self, loaders: Sequence[DataLoader[Batch]]) -> None:
        self.batches = [cast(Any, loader.batch_sampler) for loader in loaders]

    def __len__(self) -> int:
        return len(self.batches[0])

    def __iter__(self) -> Iterator[StepKeys]:
        yield from map(list, zip(*self.batches, strict=True))

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of every epoch."""
        for batches in self.batches:
            batches.sampler.set_epoch(epoch)


def _options_of(loader: DataLoader[Batch]) -> LoaderOptions:
    options = LoaderOptions(num_workers=loader.num_workers, pin_memory=loader.pin_memory)
    if loader.num_workers:
        options["persistent_workers"] = loader.persistent_workers
        options["prefetch_factor"] = loader.prefetch_factor or 2
    return options
