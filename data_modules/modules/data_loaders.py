"""Loaders of a data module: of training, validation, tests, predictions and examples."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.features.store import FeatureStore
from data_modules.loading.dataset import Collate, InOrder, KeyedDataset
from data_modules.loading.loaders import LoaderOptions, loader_options
from data_modules.loading.sample_keys import KeySampler, LazyLoader
from data_modules.modules.data_trials import DataTrials


class DataLoaders(DataTrials):
    """The part of a data module that makes batches of the datasets of its subsets."""

    batch_size: int
    drop_last: bool
    num_workers: int | None
    stores: list[FeatureStore]

    @abstractmethod
    def dataset(self, name: str, *, training: bool, number: int = 0) -> KeyedDataset[Any]:
        """The usable videos of one subset of a trial.

        Args:
            name: of the subset: ``train``, ``val`` or a test.
            training: random views; otherwise those that are tested.
            number: which of `trials`.
        """

    @abstractmethod
    def owner_of(self, name: str) -> "DataLoaders":
        """The data set that the videos of one subset are of."""

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled random views of the training videos."""
        return self._loader("train", training=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Test views of the validation videos, in order; nothing if there are none."""
        return self._loader("val", training=False) if self.trials[0].val is not None else []

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """Test views of the videos of each test, in order."""
        return [self._loader(name, training=False) for name in self.trials[0].tests]

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """The videos as `test_dataloader` gives them."""
        return [self.in_order(name) for name in self.trials[0].tests]

    def in_order(self, name: str) -> DataLoader[Batch]:
        """Every video of a validation or a test once, in test views, for one process."""
        return self._in_order(self.dataset(name, training=False), name)

    def examples_dataloader(self) -> DataLoader[Batch]:
        """What is trained on, each sample once and in order: for methods that keep something of the training videos."""
        return self._in_order(self.dataset("train", training=True), "train")

    def _in_order(self, dataset: KeyedDataset[Any], name: str) -> DataLoader[Batch]:
        """Every sample once, for one process."""
        return DataLoader(
            cast("Dataset[Batch]", InOrder(dataset)),
            batch_size=self.batch_size,
            collate_fn=self.collate(name),
            **self._loader_options(name),
        )

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Tensors go to the device, a GPU's while it computes; videos that the loader had to drop are counted."""
        self.dropped_videos.add(batch["subset"], batch["broken"])
        return cast(Batch, _moved(batch, device))

    def collate(self, name: str) -> Callable[[list[Any]], Batch]:
        """Makes batches of the samples of one subset."""
        return Collate(name, self.subset(name).class_names)

    def full_batches_of(self, num_videos: int) -> int:
        """What the number of training videos of an epoch is rounded down to a multiple of.

        Raises:
            InputError: when nothing is left of them.
        """
        if self.drop_last and num_videos < self.batch_size:
            raise InputError(
                f"data.drop_last leaves no batch: there are {num_videos} training videos, and data.batch_size is "
                f"{self.batch_size}; make it smaller, or leave drop_last false."
            )
        return self.batch_size if self.drop_last else 1

    def _loader(self, name: str, *, training: bool) -> DataLoader[Batch]:
        dataset = self.dataset(name, training=training)
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        seed = self.seed_of(0)
        # In testing a video is one process's; Lightning can do nothing with a process that has none.
        if (count := len(dataset) if training else len(set(dataset.videos))) < world_size:
            raise InputError(f"split '{name}' has too little for {world_size} processes; use at most {count} devices.")
        sampler = KeySampler(
            len(dataset),
            training=training,
            seed=seed,
            rank=rank,
            world_size=world_size,
            together=dataset.videos,
            multiple_of=self.full_batches_of(len(dataset) // world_size) if training else 1,
        )
        if training and self.trainer is not None:
            progress = self.trainer.fit_loop.epoch_loop.batch_progress
            sampler.leave_out(lambda: progress.current.ready * self.batch_size)
        return LazyLoader(
            cast("Dataset[Batch]", dataset),  # batches come out of the collation
            batch_size=self.batch_size,
            sampler=sampler,
            collate_fn=self.collate(name),
            **self._loader_options(name, persistent=True),
        )

    def _loader_options(self, name: str, *, persistent: bool = False) -> LoaderOptions:
        device, stored = self.trainer.strategy.root_device if self.trainer else None, bool(self.owner_of(name).stores)
        return loader_options(device, self.num_workers, stored=stored, persistent=persistent)


def _moved(value: object, device: torch.device) -> object:
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=device.type == "cuda")
    if isinstance(value, dict):
        return {key: _moved(own, device) for key, own in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        return [_moved(own, device) for own in value]
    return value
