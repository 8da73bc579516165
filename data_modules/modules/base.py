"""Everything that the data modules share: options, and feature stores between the trials and their loaders."""

import copy
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypedDict

from lightning.pytorch import Trainer

from data_modules.batch import BrokenVideo, Record
from data_modules.errors import InputError
from data_modules.features.encoder import FrameEncoder, FrameTransform
from data_modules.features.store import FeatureStore
from data_modules.loading.dropped_videos import DroppedVideos
from data_modules.loading.frames import MOST_A_SECOND, FrameChunks
from data_modules.loading.transforms import ResizeCrop
from data_modules.modules.data_loaders import DataLoaders
from data_modules.protocols import ClosedSet, Protocol
from data_modules.protocols.held_out import held_out
from data_modules.protocols.limit import Limit
from data_modules.protocols.trial import SPLITS, Split


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


class VideoDataModule(DataLoaders):
    """Shared by all data sets, of trimmed and untrimmed videos; a data set says only what is where, in `scan`.

    Args:
        root: folder of the data set.
        protocol: which videos and class names train and which test; `ClosedSet` where none is given.
        trial: run this trial alone, of a protocol that has several; null for all.
        features: ``auto`` computes the frozen model's frame features once and reads them from then on; ``off``
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
        self.stores = []
        self.test_on: Sequence[VideoDataModule] = ()  # data sets that hold some of the tests
        self.reads = SPLITS
        self._dataset_index = None
        self._trials = []

    def inference_config(self) -> dict[str, object]:
        """Which frames stand for a video, ready for JSON: for the use of a trained model on other videos."""
        return {"frame_rate": self.frame_rate, "crops": [crop.place for crop in self.crops]}

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
        self,
        encoder: FrameEncoder,
        trainer: Trainer | None = None,
        splits: Collection[Split] = SPLITS,
        part: tuple[int, int] = (1, 1),
    ) -> None:
        """Compute the frame features that are not stored yet, and open the stores; with ``features: off`` do nothing.

        To be called before a trainer fits, validates, tests or predicts. Processes of one trainer share the work, and
        what was computed before a signal or a kill is kept.

        Args:
            encoder: what makes the features: a task's ``encoder``.
            trainer: runs it, on its devices; None: one on what there is.
            splits: that will be looked at; there is a store for each crop, and those beside the middle one are for
                testing alone.
            part: (2, 8) is the second of eight parts of the videos, whose others are left to other programs.

        Raises:
            InputError: when a store is named that is missing or was made with another recipe, or `check_preprocessing`.
        """
        from data_modules.modules.extraction import open_store, part_of  # which know this class

        self.reads = splits
        self.check_preprocessing(encoder)
        if self.features == "off":
            return
        for module in (self, *self.test_on):
            module.prepare_data()
        trainer = trainer or Trainer(logger=False, enable_checkpointing=False, enable_model_summary=False)
        for owner, wanted in self.stored_apart().items():
            owner.stores = [
                open_store(encoder, owner, crop, own, trainer)
                for crop, records in zip(owner.crops, wanted, strict=True)
                if (own := part_of(records, part))
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

    def _stores_for(self, *, testing: bool) -> list[FeatureStore]:
        """Training looks at the middle of each frame only, which is the first store."""
        return self.stores if testing else self.stores[:1]
