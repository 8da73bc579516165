"""Trials to datasets to loaders: everything that the data modules share."""

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader, Dataset

from data_modules.batch import Batch, BrokenVideo, Record
from data_modules.errors import InputError
from data_modules.features.encoder import FrameEncoder, FrameTransform
from data_modules.features.store import FeatureStore
from data_modules.loading.dataset import Collate, InOrder, KeyedDataset
from data_modules.loading.dropped_videos import DroppedVideos
from data_modules.loading.frames import MOST_A_SECOND, FrameChunks
from data_modules.loading.loaders import LoaderOptions, loader_options
from data_modules.loading.sample_keys import KeySampler, LazyLoader, trial_seed
from data_modules.loading.transforms import ResizeCrop
from data_modules.protocols import ClosedSet, Protocol
from data_modules.protocols.held_out import held_out
from data_modules.protocols.limit import Limit, limited
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split, Subset, Trial


class VideoOptions(TypedDict, total=False):
    """The options of `VideoDataModule`, for constructors that hand them on to it."""

    protocol: Protocol | None
    trial: int | None
    features: str
    features_root: Path
    frame_rate: float | None
    preprocessing: FrameTransform | None
    batch_size: int
    drop_last: bool
    num_workers: int | None
    seed: int
    max_broken_fraction: float
    limit: Limit | None


class VideoDataModule(LightningDataModule, ABC):
    """Shared by all data sets, of trimmed and untrimmed videos; a data set says only what is where, in `scan`.

    Args:
        root: folder of the data set.
        protocol: which videos and class names train and which test; `ClosedSet` where none is given.
        trial: run this trial alone, of a protocol that has several; null for all.
        features: ``auto`` computes the frozen CLIP's frame features once and reads them from then on; ``off``
            decodes the videos each time; anything else is the path of a feature store to read.
        features_root: where ``auto`` keeps its stores, one folder for each recipe.
        frame_rate: frames a second to compute features for; null for every frame of the video.
        preprocessing: from a decoded frame to what the frozen model sees, a task's ``preprocessing``; the command line
            takes it from there. null: CLIP's at 224 pixels.
        batch_size: videos in a batch, on each device.
        drop_last: leave out what is over of an epoch's training videos when all full batches are made, other videos
            each epoch, as the paper's released code does.
        num_workers: processes that load data, on each device; 0 loads in the main process. null: 2 where frames are
            decoded and for a GPU, none for stored features on a CPU.
        seed: of the order of the training videos and of every random moment; the command line sets it to
            ``seed_everything``.
        max_broken_fraction: the run fails once more than this share of a split cannot be read.
        limit: for dry runs: keep only so many trials, classes and videos; its figures are no results.
    """

    def __init__(
        self,
        root: Path,
        protocol: Protocol | None = None,
        trial: int | None = None,
        features: str = "auto",
        features_root: Path = Path("features"),
        frame_rate: float | None = None,
        preprocessing: FrameTransform | None = None,
        batch_size: int = 64,
        drop_last: bool = False,
        num_workers: int | None = None,
        seed: int = 0,
        max_broken_fraction: float = 0.01,
        limit: Limit | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1 or (num_workers or 0) < 0 or not 0 <= max_broken_fraction <= 1:
            raise InputError(
                "data: batch_size must be 1 or more, num_workers 0 or more, max_broken_fraction in [0, 1]."
            )
        if frame_rate is not None and not 0 < frame_rate <= MOST_A_SECOND:
            raise InputError(f"data.frame_rate must be greater than 0 and up to {MOST_A_SECOND:g}, not {frame_rate:g}.")
        self.root = Path(root)
        self.protocol = protocol or ClosedSet()
        self.trial = trial
        self.crops: tuple[FrameTransform, ...] = (preprocessing or ResizeCrop(),)
        self.features = features
        self.features_root = Path(features_root)
        self.frame_rate = frame_rate
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.seed = seed
        self.limit = limit
        self.dropped_videos = DroppedVideos(max_broken_fraction)
        self.stores: list[FeatureStore] = []
        self.test_on: Sequence[VideoDataModule] = ()  # data sets that hold some of the tests
        # What a run looks at: testing alone needs nothing of the training videos.
        self.reads: Collection[Split] = SPLITS
        self._dataset_index: DatasetIndex | None = None
        self._trials: list[Trial] = []

    @abstractmethod
    def scan(self) -> DatasetIndex:
        """Read the annotations and list the videos; called once, after `prepare_data`."""

    @abstractmethod
    def dataset(self, name: str, *, training: bool, number: int = 0) -> KeyedDataset[Any]:
        """The usable videos of one subset of a trial.

        Args:
            name: of the subset: ``train``, ``val`` or a test.
            training: random views; otherwise those that are tested.
            number: which of `trials`.
        """

    @abstractmethod
    def describe_views(self) -> str:
        """What testing looks at, as a sentence for the run's summary."""

    def inference_config(self) -> dict[str, object]:
        """Which frames stand for a video, ready for JSON: for the use of a trained model on other videos."""
        return {"frame_rate": self.frame_rate, "crops": [crop.place for crop in self.crops]}

    def published_sizes(self) -> Mapping[str, int]:
        """Published number of videos of each official split, as far as known."""
        return {}

    @property
    def dataset_index(self) -> DatasetIndex:
        """The data set as `scan` found it, broken videos included."""
        if self._dataset_index is None:
            self._dataset_index = self.scan()
        return self._dataset_index

    @property
    def trials(self) -> Sequence[Trial]:
        """The trials of the protocol, broken videos included; only the chosen one where `trial` names one."""
        if not self._trials:
            trials = self.make_trials()
            if self.limit is not None:
                trials = limited(trials, self.limit)
            if self.trial is not None:
                if not 0 <= self.trial < len(trials):
                    known = f"has trials 0 to {len(trials) - 1}" if len(trials) > 1 else "has one trial, number 0"
                    raise InputError(f"data.trial is {self.trial}, and the protocol {known}.")
                trials = [trials[self.trial]]
            self._trials = list(trials)
            for name, records in self._read_videos().items():
                self.dropped_videos.open_split(name, len(records))
        return self._trials

    def make_trials(self) -> Sequence[Trial]:
        """What the protocol makes of the data set."""
        return self.protocol.trials(self.dataset_index, self.seed)

    @property
    def class_names(self) -> Sequence[str]:
        """The class names that are trained on, in the order that targets index; of the first trial."""
        return list(self.trials[0].train.class_names)

    @property
    def dataset_name(self) -> str:
        """Short name of the data set, for folders and tables: that of its root, even where this is ``.``."""
        return Path(os.path.abspath(self.root)).name or "root"  # noqa: PTH100 - links keep the name that they were given

    def videos(self) -> dict[str, list[Record]]:
        """The videos of all trials, each once, by the subset they stand in."""
        by_subset: dict[str, dict[str, Record]] = {}
        for trial in self.trials:
            for name, subset in trial.subsets.items():
                by_subset.setdefault(name, {}).update({record.video_id: record for record in subset.records})
        return {name: list(records.values()) for name, records in by_subset.items()}

    def _read_videos(self) -> dict[str, list[Record]]:
        """Those of the subsets that are looked at; what is neither for training nor for validation is a test."""
        of_tests = "test" in self.reads
        return {
            name: records
            for name, records in self.videos().items()
            if (name in self.reads if name in ("train", "val") else of_tests)
        }

    def describe_protocol(self) -> str:
        """Sentences for the run's summary: what is trained on and tested, and what testing looks at."""
        words = self.protocol.describe(self.dataset_index, self.trials)
        if self.limit is not None:
            words = f"DRY RUN with a part of the data, figures are no results. {words}"
        if self.trial is not None:
            words += f" Trial {self.trial} alone."
        return f"{words} {self.describe_views()}"

    def setup(self, stage: str) -> None:
        """Note which videos the feature stores lack, and which they hold as broken.

        Raises:
            InputError: when they are too many of one subset.
        """
        for name, records in self._read_videos().items():
            for store in self.owner_of(name)._stores_for(testing=name != "train"):
                self._note_missing(name, records, store)
                self.dropped_videos.add(name, (store.broken[r.video_id] for r in records if r.video_id in store.broken))

    def _note_missing(self, name: str, records: Sequence[Record], store: FeatureStore) -> None:
        """A few videos that a store lacks are dropped and counted; with many it is the wrong store."""
        missing = [r for r in records if r.video_id not in store and r.video_id not in store.broken]
        if len(missing) > self.dropped_videos.max_fraction * len(records):
            raise InputError(
                f"the feature store {store.root} lacks {len(missing)} of the {len(records)} videos of split "
                f"'{name}', the first being {missing[0].video_id}; run with data.features=auto to compute them, or "
                "do without them with a greater data.max_broken_fraction."
            )
        reason = f"the feature store {store.root} lacks it"
        self.dropped_videos.add(name, (BrokenVideo(r.video_id, str(r.path), reason) for r in missing))

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
        return [self._in_order(self.dataset(name, training=False), name) for name in self.trials[0].tests]

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

    def owner_of(self, name: str) -> "VideoDataModule":
        """The data set that the videos of one subset are of."""
        return self

    def stored_apart(self) -> dict["VideoDataModule", list[dict[str, Record]]]:
        """Which data set keeps the features of which videos: for each of its crops, by id.

        Beside the middle of the frames, which is the first crop, only testing looks.
        """
        apart: dict[VideoDataModule, list[dict[str, Record]]] = {}
        for name, records in self._read_videos().items():
            owner = self.owner_of(name)
            by_crop = apart.setdefault(owner, [{} for _ in owner.crops])
            for wanted in by_crop[:1] if name == "train" else by_crop:
                wanted.update({record.video_id: record for record in records})
        return apart

    def extract(
        self, encoder: FrameEncoder, trainer: Trainer | None = None, splits: Collection[Split] = SPLITS
    ) -> None:
        """Compute the frame features that are not stored yet, and open the stores; with ``features: off`` do nothing.

        To be called before a trainer fits, validates, tests or predicts. Processes of one trainer share the work, and
        what was computed before a signal or a kill is kept.

        Args:
            encoder: what makes the features: a task's ``encoder``.
            trainer: runs it, on its devices; None: one on what there is.
            splits: that will be looked at; there is a store for each crop, and those beside the middle one are for
                testing alone.

        Raises:
            InputError: when a store is named that is missing or was made with another recipe, or `check_preprocessing`.
        """
        from data_modules.modules.extraction import open_store  # which knows this class

        self.reads = splits
        self.check_preprocessing(encoder)
        if self.features == "off":
            return
        for module in (self, *self.test_on):
            module.prepare_data()
        trainer = trainer or Trainer(logger=False, enable_checkpointing=False, enable_model_summary=False)
        for owner, wanted in self.stored_apart().items():
            owner.stores = [
                open_store(encoder, owner, crop, records, trainer)
                for crop, records in zip(owner.crops, wanted, strict=True)
            ]

    def check_preprocessing(self, encoder: FrameEncoder) -> None:
        """See that frames become what an encoder sees.

        Raises:
            InputError: they do not.
        """
        own, wanted = self.crops[0].recipe, encoder.frames.recipe
        if own != wanted:
            raise InputError(
                f"the data's frames are made by {own}, and backbone '{encoder.name}' was trained on {wanted}: give the "
                "data preprocessing=task.preprocessing."
            )

    def frame_chunks(
        self, records: Sequence[Record], crop: FrameTransform, *, rank: int = 0, world_size: int = 1
    ) -> FrameChunks:
        """All frames of the given videos, for feature extraction: this process's share."""
        return FrameChunks(list(records)[rank::world_size], crop, self.frame_rate)

    def alone(self, number: int) -> "VideoDataModule":
        """The same data with one of its trials only; stores, and what is known of broken videos, are shared."""
        one = copy.copy(self)
        one.trial = number if self.trial is None else self.trial
        one._trials = [self.trials[number]]
        return one

    def holding_out(self, number: int) -> "VideoDataModule":
        """A trial within its own training videos, see `held_out`; what is tested there is seen as in training.

        Args:
            number: of the trial.
        """
        one = self.alone(number)
        one._trials = [held_out(self.trials[number], self.seed_of(number))]
        one.crops, one.stores = one.crops[:1], one.stores[:1]
        one.dropped_videos = DroppedVideos(self.dropped_videos.max_fraction)
        for name, subset in one._trials[0].subsets.items():
            one.dropped_videos.open_split(name, len(subset.records))
        return one

    def usable(self, name: str, *, training: bool, number: int = 0) -> tuple[list[Record], list[FeatureStore]]:
        """The videos of one subset of a trial that can be read, and the stores to read them from; none: decode them."""
        records = self.trials[number].subsets[name].records
        owner = self.owner_of(name)
        if owner.features != "off" and not owner.stores:
            raise InputError(
                f"data.features is '{owner.features}', but no feature store is open: call data.extract(task.encoder) "
                "before the trainer starts, or choose features='off'."
            )
        stores = owner._stores_for(testing=not training)
        readable = [record for record in records if all(record.video_id in store for store in stores)]
        if not readable:
            raise InputError(f"split '{name}' of {owner.root} has no videos.")
        return readable, stores

    def collate(self, name: str) -> Callable[[list[Any]], Batch]:
        """Makes batches of the samples of one subset."""
        return Collate(name, self.subset(name).class_names)

    def seed_of(self, number: int) -> int:
        """The seed of a trial's draws and of its initial weights."""
        return trial_seed(self.seed, number if self.trial is None else self.trial)

    def subset(self, name: str, number: int = 0) -> Subset:
        """One subset of a trial, by its name."""
        return self.trials[number].subsets[name]

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

    def _stores_for(self, *, testing: bool) -> list[FeatureStore]:
        """Training looks at the middle of each frame only, which is the first store."""
        return self.stores if testing else self.stores[:1]


def _moved(value: object, device: torch.device) -> object:
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=device.type == "cuda")
    if isinstance(value, dict):
        return {key: _moved(own, device) for key, own in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        return [_moved(own, device) for own in value]
    return value
