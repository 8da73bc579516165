"""Data sets of short videos that people have described in sentences."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch.utils.data import DataLoader

from data_modules.annotations.also_right import read_also_right, with_also_right
from data_modules.annotations.captions import CaptionTally
from data_modules.batch import Batch, CaptionedRecord
from data_modules.errors import InputError
from data_modules.loading.captioned_dataset import CaptionedDataset, CollateCaptions, Pairs
from data_modules.loading.sampling import Sampler, SegmentSampler
from data_modules.loading.settings import kind_and_settings
from data_modules.modules.base import VideoDataModule, VideoOptions
from data_modules.protocols import ClosedSet
from data_modules.protocols.trial import Trial
from data_modules.typed_options import Unpack

log = logging.getLogger(__name__)


class CaptionedOptions(VideoOptions, total=False):
    """The options of `CaptionedDataModule`, for constructors that hand them on."""

    sampler: Sampler | None
    pairs: Pairs
    also_right: Path | None


class CaptionedDataModule(VideoDataModule):
    """Videos with one caption or several, for retrieval in both directions.

    Args:
        root: folder of the data set.
        sampler: which moments of a video to look at.
        pairs: what an epoch of training shows: ``every_caption``, each with its video; or each video once with
            ``one_caption`` of it, drawn anew in every epoch.
        also_right: captions that tell of more videos than their own, in a CSV or JSON file as those of captions are
            (``video,caption``), relative to ``root`` or absolute: in validation and tests the right answer that stands
            first counts. Training takes each caption for its own video's. Null: each tells of its own alone.
        options: those that all data sets share, see `VideoDataModule`.
    """

    def __init__(
        self,
        root: Path,
        sampler: Sampler | None = None,
        pairs: Pairs = "every_caption",
        also_right: Path | None = None,
        **options: Unpack[VideoOptions],
    ) -> None:
        super().__init__(root, **options)
        self.sampler = sampler or SegmentSampler()
        self.pairs: Pairs = pairs
        self.also_right = also_right
        self.tally = CaptionTally()
        if not isinstance(self.protocol, ClosedSet):
            name = type(self.protocol).__name__
            raise InputError(f"data.protocol: {name} divides classes, and captions have none; retrieval has ClosedSet.")

    def make_trials(self) -> Sequence[Trial]:
        """What the protocol makes of the data set; tells what was left out of the caption files."""
        trials = super().make_trials()
        assert all(
            isinstance(r, CaptionedRecord) for trial in trials for p in trial.subsets.values() for r in p.records
        )
        if left_out := self.tally.describe():
            log.warning("%s, %s", self.dataset_name, left_out)
        if self.also_right is None:
            return trials
        records = self.dataset_index.records
        more = read_also_right(self.root / self.also_right, [record for own in records.values() for record in own])
        return [
            replace(
                trial,
                val=with_also_right(trial.val, more) if trial.val is not None else None,
                tests={name: with_also_right(test, more) for name, test in trial.tests.items()},
            )
            for trial in trials
        ]

    def dataset(self, name: str, *, training: bool, number: int = 0) -> CaptionedDataset:
        """The usable videos of one subset with their captions.

        Raises:
            InputError: when it has none.
        """
        if not self.subset(name, number).records:
            raise InputError(self.without_captions(name))
        records, stores = self.usable(name, training=training, number=number)
        return CaptionedDataset(
            cast("list[CaptionedRecord]", records),
            self.sampler,
            stores or self.crops,
            training=training,
            seed=self.seed_of(number),
            pairs=self.pairs,
        )

    def without_captions(self, name: str) -> str:
        """What to say of a subset that has no video with a caption, and what to do."""
        return f"split '{name}' of {self.root} has no videos."

    def bank_dataloader(self, count: int) -> DataLoader[Batch]:
        """Some training videos in the views of testing, each with one of its captions: a bank of queries for QB-Norm.

        Args:
            count: of videos; all where there are fewer.
        """
        records, stores = self.usable("train", training=False)
        rng = np.random.default_rng((self.seed_of(0), count))
        chosen = [cast("CaptionedRecord", records[n]) for n in sorted(rng.permutation(len(records))[:count].tolist())]
        chosen = [replace(r, captions=(r.captions[int(rng.integers(len(r.captions)))],)) for r in chosen]
        dataset = CaptionedDataset(chosen, self.sampler, stores or self.crops, training=False, seed=self.seed_of(0))
        return self._in_order(dataset, "train")

    def collate(self, name: str) -> Callable[[list[Any]], Batch]:
        """Makes batches of videos and captions."""
        return CollateCaptions(name)

    def captions(self, name: str) -> list[str]:
        """All captions of one subset, video by video."""
        records = cast("Sequence[CaptionedRecord]", self.subset(name).records)
        return [caption for record in records for caption in record.captions]

    def inference_config(self) -> dict[str, object]:
        """As for all data sets, and the sampler by kind and settings."""
        return {**super().inference_config(), "sampler": kind_and_settings(self.sampler)}

    def describe_views(self) -> str:
        """How many captions each subset has, and what testing looks at."""
        counts = ", ".join(f"{len(self.captions(name)):,} {name}" for name in self.trials[0].subsets)
        also = f" Captions of {self.also_right} are right of more videos than their own." if self.also_right else ""
        return f"Captions: {counts}.{also} Tested on {self.sampler.describe()}; similarities are averaged over views."
