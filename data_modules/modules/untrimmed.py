"""Data sets of untrimmed videos, in which actions are to be found."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from data_modules.annotations.times import misfits
from data_modules.batch import Batch, UntrimmedRecord
from data_modules.errors import InputError
from data_modules.loading.settings import kind_and_settings
from data_modules.loading.window_dataset import CollateWindows, WindowDataset
from data_modules.loading.windows import SlidingWindows, Windows
from data_modules.modules.base import VideoDataModule, VideoOptions
from data_modules.modules.crossing import CrossingDataModule
from data_modules.modules.excluded_videos import describe_excluded, excluded_ids
from data_modules.protocols import ClosedSet, CrossDataset, OpenSet
from data_modules.protocols.class_overlap import overlapping
from data_modules.protocols.trial import LazyTrials, Subset, Trial
from data_modules.typed_options import Unpack

log = logging.getLogger(__name__)


class UntrimmedOptions(VideoOptions, total=False):
    """The options of `UntrimmedDataModule`, for constructors that hand them on."""

    windows: Windows | None
    exclude: str | list[str] | None
    test_on: list["UntrimmedDataModule"] | None


class UntrimmedDataModule(CrossingDataModule):
    """Long videos with annotated segments, read window by window from stored frame features.

    A video of any length takes no more memory than one of its windows. Where a protocol keeps some classes unseen,
    training never looks at a stretch that shows one of them.

    Args:
        root: folder of the data set.
        windows: how videos are cut: `SlidingWindows`, or `WholeVideo`.
        exclude: test videos to leave out: their ids; the path of a file with one a line; or ``known``, those of
            THUMOS14 that papers are known to leave out.
        test_on: the data sets that `CrossDataset` tests on, each on all of its classes, and apart on those that are
            called as one of training, or nearly so, and on the others; windows and frame rate are this data set's.
        options: those that all data sets share, see `VideoDataModule`.
    """

    def __init__(
        self,
        root: Path,
        windows: Windows | None = None,
        exclude: str | list[str] | None = None,
        test_on: list["UntrimmedDataModule"] | None = None,
        **options: Unpack[VideoOptions],
    ) -> None:
        super().__init__(root, **options)
        self.windows, self.exclude = windows or SlidingWindows(), exclude
        self.look_at(test_on)
        self._has_warned = False  # what does not fit, once
        if not isinstance(self.protocol, (ClosedSet, OpenSet, CrossDataset)):
            name = type(self.protocol).__name__
            raise InputError(
                f"data.protocol: {name} is for trimmed videos; localization has ClosedSet, OpenSet and CrossDataset."
            )
        if self.features == "off":
            raise InputError("data.features is off, and localization reads stored features; set it to auto or a store.")

    @property
    def tious(self) -> tuple[float, ...]:
        """The overlaps at which the benchmark counts a detection as right: ActivityNet's, unless it has its own."""
        return tuple(round(0.5 + 0.05 * step, 2) for step in range(10))

    @property
    def known_oddities(self) -> Sequence[str]:
        """Ids of test videos that papers are known to leave out; they need not be among those that are tested."""
        return ()

    @property
    def excluded(self) -> set[str]:
        """Ids of the test videos to leave out."""
        return excluded_ids(self.exclude, self.known_oddities, self._tested, self.dataset_name)

    @property
    def _tested(self) -> list[str]:
        return [record.video_id for record in self.dataset_index.records.get("test", ())]

    def tests_for(self, class_names: Sequence[str]) -> Mapping[str, Subset]:
        """All classes, then those whose names overlap with the given ones and the others apart, each among their own.

        Args:
            class_names: that a model was trained on.
        """
        whole = self.dataset_index.subset("test").without(self.excluded)
        alike = overlapping(whole.class_names, class_names)
        others = [name for name in whole.class_names if name not in alike]
        apart = {"seen": whole.only(list(alike)), "unseen": whole.only(others)} if alike and others else {}
        return {"test": whole, **apart}

    def take_settings_of(self, other: VideoDataModule) -> None:
        """As for all data sets, and the windows."""
        super().take_settings_of(other)
        assert isinstance(other, UntrimmedDataModule)
        self.windows = other.windows

    def make_trials(self) -> Sequence[Trial]:
        """What the protocol makes of the data set, without the excluded videos, and of those that it is tested on."""
        trials = super().make_trials()
        left_out = self.excluded if not self.test_on else ()

        def make(number: int) -> Trial:
            trial = trials[number]
            if left_out:
                trial = replace(trial, tests={name: test.without(left_out) for name, test in trial.tests.items()})
            assert all(isinstance(r, UntrimmedRecord) for subset in trial.subsets.values() for r in subset.records)
            return trial

        return LazyTrials(make, len(trials))

    @property
    def annotated_in(self) -> str:
        """Where the segments are from, for messages."""
        return self.dataset_name

    def setup(self, stage: str) -> None:
        """As for all data sets; and hold the annotated times against the videos.

        Raises:
            InputError: when most of what is annotated lies after the videos.
        """
        super().setup(stage)
        used: dict[str, UntrimmedRecord] = {}
        lengths_sec: dict[str, float] = {}
        for name, records in self.videos().items():
            owner = cast("UntrimmedDataModule", self.owner_of(name))
            subset = {record.video_id: cast("UntrimmedRecord", record) for record in records}
            own = owner._lengths_sec(subset)
            misfits(subset.values(), own).check_units(owner.annotated_in)
            used, lengths_sec = used | subset, lengths_sec | own
        remarks = misfits(used.values(), lengths_sec).describe()
        if remarks and not self._has_warned:
            log.warning("%s: %s", self.annotated_in, remarks)
            self._has_warned = True

    def _lengths_sec(self, video_ids: Iterable[str]) -> dict[str, float]:
        return {name: store.duration_sec(name) for store in self.stores[:1] for name in video_ids if name in store}

    def dataset(self, name: str, *, training: bool, number: int = 0) -> WindowDataset:
        """The windows of the usable videos of one subset of a trial."""
        records, (store,) = self.usable(name, training=training, number=number)
        untrimmed = cast("list[UntrimmedRecord]", records)
        windows = WindowDataset(untrimmed, self.windows, store, training=training, seed=self.seed_of(number))
        if not len(windows):
            raise InputError(f"no video of split '{name}' of {self.root} shows an action that can be trained on.")
        return windows

    def collate(self, name: str) -> Callable[[list[Any]], Batch]:
        """Makes batches of windows."""
        return CollateWindows(name, self.subset(name).class_names)

    def inference_config(self) -> dict[str, object]:
        """As for all data sets, and the windows by kind and settings."""
        return {**super().inference_config(), "windows": kind_and_settings(self.windows)}

    def describe_views(self) -> str:
        """How windows lie, and which test videos are left out."""
        modules = [one for one in (self, *self.test_on) if isinstance(one, UntrimmedDataModule)]
        told = "".join(describe_excluded(one.excluded, one._tested, one.dataset_name) for one in modules)
        return f"Videos are seen as {self.windows.describe()}.{told}"
