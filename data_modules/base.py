"""Splits to datasets to loaders: everything that the data modules share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from data_modules.batch import Batch, Record
from data_modules.dataset import Collate, InOrder, VideoDataset
from data_modules.draws import DrawSampler
from data_modules.errors import InputError
from data_modules.feature_store import FeatureStore
from data_modules.frames import FrameChunks
from data_modules.ledger import BrokenLedger
from data_modules.sampling import Sampler, WindowSampler
from data_modules.transforms import ResizeCrop

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Catalog:
    """What a data set holds under one protocol: class names, and the videos of each split in a fixed order."""

    class_names: Sequence[str]
    records: Mapping[Split, Sequence[Record]]


class VideoDataModule(LightningDataModule, ABC):
    """Shared by all data sets; a subclass says only what is where, in `scan`.

    Args:
        root: folder of the data set.
        sampler: which moments of a video to look at.
        features: ``auto`` computes the frozen CLIP's frame features once and reads them from then on; ``off``
            decodes the videos each time; anything else is the path of a feature store to read.
        features_root: where ``auto`` keeps its stores, one folder for each recipe.
        frame_rate: frames a second to compute features for; null for every frame of the video.
        image_size: side of the square that CLIP sees, pixels; the command line takes it from the CLIP in use.
        batch_size: videos in a batch, on each device.
        num_workers: processes that load data, on each device; 0 loads in the main process.
        seed: of the order of the training videos and of every random moment; the command line sets it to
            ``seed_everything``.
        max_broken_fraction: the run fails once more than this share of a split cannot be read.
    """

    protocol: str = "closed_set"

    def __init__(
        self,
        root: Path,
        sampler: Sampler | None = None,
        features: str = "auto",
        features_root: Path = Path("features"),
        frame_rate: float | None = None,
        image_size: int = 224,
        batch_size: int = 64,
        num_workers: int = 2,
        seed: int = 0,
        max_broken_fraction: float = 0.01,
    ) -> None:
        super().__init__()
        if batch_size < 1 or num_workers < 0 or not 0 <= max_broken_fraction <= 1:
            raise InputError(
                "data: batch_size must be 1 or more, num_workers 0 or more, max_broken_fraction in [0, 1]."
            )
        self.root = Path(root)
        self.sampler = sampler or WindowSampler()
        self.features = features
        self.features_root = Path(features_root)
        self.frame_rate = frame_rate
        self.crop = ResizeCrop(image_size)
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.ledger = BrokenLedger(max_broken_fraction)
        self.store: FeatureStore | None = None
        self._catalog: Catalog | None = None
        self._usable: dict[Split, list[Record]] = {}

    @abstractmethod
    def scan(self) -> Catalog:
        """Read the annotations and list the videos; called once, after `prepare_data`."""

    @property
    def catalog(self) -> Catalog:
        """The data set as `scan` found it, broken videos included."""
        if self._catalog is None:
            self._catalog = self.scan()
            for split in SPLITS:
                self.ledger.open_split(split, len(self._catalog.records[split]))
        return self._catalog

    @property
    def class_names(self) -> Sequence[str]:
        """The candidates, in the order that targets index."""
        return self.catalog.class_names

    @property
    def dataset_name(self) -> str:
        """Short name of the data set, for folders and tables."""
        return self.root.name

    def describe_protocol(self) -> str:
        """The protocol in words, for the run's summary."""
        sizes = ", ".join(f"{len(self.catalog.records[split])} {split}" for split in SPLITS)
        return f"closed set: all {len(self.class_names)} classes are seen in training; {sizes} videos."

    def setup(self, stage: str) -> None:
        """Find the videos; leave out those that the feature store holds as broken."""
        for split in SPLITS:
            records = list(self.catalog.records[split])
            if self.store is not None:
                store = self.store
                missing = [r.video_id for r in records if r.video_id not in store and r.video_id not in store.broken]
                if missing:
                    raise InputError(
                        f"the feature store {store.root} lacks {len(missing)} of the {len(records)} videos of split "
                        f"'{split}', the first being {missing[0]}; run with data.features=auto to compute them."
                    )
                self.ledger.add(split, (store.broken[r.video_id] for r in records if r.video_id in store.broken))
                records = [record for record in records if record.video_id in store]
            self._usable[split] = records

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled random views of the training videos."""
        return self._loader("train", training=True)

    def val_dataloader(self) -> DataLoader[Batch] | list[DataLoader[Batch]]:
        """Test views of the validation videos, in order; nothing if there are none."""
        return self._loader("val", training=False) if self._usable["val"] else []

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test views of the test videos, in order."""
        return self._loader("test", training=False)

    def predict_dataloader(self) -> DataLoader[Batch]:
        """The test videos as `test_dataloader` gives them."""
        dataset = InOrder(self._dataset("test", training=False))
        collate = Collate(self.class_names)
        return DataLoader(
            cast("Dataset[Batch]", dataset),
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            collate_fn=collate,
        )

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Tensors go to the device; names and broken videos stay."""
        moved = {key: value.to(device) if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
        return cast(Batch, moved)

    def frame_chunks(self, video_ids: Sequence[str], *, rank: int = 0, world_size: int = 1) -> FrameChunks:
        """All frames of the given videos, for feature extraction: this process's share."""
        by_id = {record.video_id: record for split in SPLITS for record in self.catalog.records[split]}
        mine = [by_id[video_id] for video_id in list(video_ids)[rank::world_size]]
        return FrameChunks(mine, self.crop, self.frame_rate)

    def _dataset(self, split: Split, *, training: bool) -> VideoDataset:
        records = self._usable[split]
        if not records:
            raise InputError(f"split '{split}' of {self.root} has no videos.")
        if self.store is None and self.features != "off":
            raise InputError(
                f"data.features is '{self.features}', but no feature store is open: the command line opens it; in "
                "Python call prompt_video.tasks.extraction.ensure_features(...) first, or choose features='off'."
            )
        return VideoDataset(records, self.sampler, self.store or self.crop, training=training, seed=self.seed)

    def _loader(self, split: Split, *, training: bool) -> DataLoader[Batch]:
        dataset = self._dataset(split, training=training)
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = DrawSampler(len(dataset), training=training, seed=self.seed, rank=rank, world_size=world_size)
        if training and self.trainer is not None:
            progress = self.trainer.fit_loop.epoch_loop.batch_progress
            sampler.leave_out(lambda: progress.current.ready * self.batch_size)
        return DataLoader(
            cast("Dataset[Batch]", dataset),  # batches come out of the collation
            batch_size=self.batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=Collate(self.class_names),
            persistent_workers=self.num_workers > 0,
        )
