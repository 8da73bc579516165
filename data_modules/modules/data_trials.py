"""What a data set has, and the trials that a protocol makes of it."""

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from lightning.pytorch import LightningDataModule

from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.loading.dropped_videos import DroppedVideos
from data_modules.loading.sample_keys import trial_seed
from data_modules.protocols import Protocol
from data_modules.protocols.limit import Limit, limited
from data_modules.protocols.trial import DatasetIndex, Split, Subset, Trial


class DataTrials(LightningDataModule, ABC):
    """The part of a data module that knows videos and protocol; it reads annotations only."""

    root: Path
    protocol: Protocol
    trial: int | None
    seed: int
    limit: Limit | None
    dropped_videos: DroppedVideos
    reads: Collection[Split]  # what a run looks at: testing alone needs nothing of the training videos
    _dataset_index: DatasetIndex | None
    _trials: list[Trial]

    @abstractmethod
    def scan(self) -> DatasetIndex:
        """Read the annotations and list the videos; called once, after `prepare_data`."""

    @abstractmethod
    def describe_views(self) -> str:
        """What testing looks at, as a sentence for the run's summary."""

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

    def seed_of(self, number: int) -> int:
        """The seed of a trial's draws and of its initial weights."""
        return trial_seed(self.seed, number if self.trial is None else self.trial)

    def subset(self, name: str, number: int = 0) -> Subset:
        """One subset of a trial, by its name."""
        return self.trials[number].subsets[name]
