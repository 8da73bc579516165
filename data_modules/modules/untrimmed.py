"""Data sets of untrimmed videos, in which actions are to be found."""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from data_modules.annotations.times import misfits
from data_modules.batch import Batch, UntrimmedRecord
from data_modules.errors import InputError
from data_modules.loading.settings import kind_and_settings
from data_modules.loading.window_dataset import CollateWindows, WindowDataset
from data_modules.loading.windows import SlidingWindows, Windows
from data_modules.modules.base import VideoDataModule, VideoOptions
from data_modules.protocols import ClosedSet, OpenSet
from data_modules.protocols.trial import Trial
from data_modules.typed_options import Unpack

log = logging.getLogger(__name__)


class UntrimmedOptions(VideoOptions, total=False):
    """The options of `UntrimmedDataModule`, for constructors that hand them on."""

    windows: Windows | None


class UntrimmedDataModule(VideoDataModule):
    """Long videos with annotated segments, read window by window from stored frame features.

    A video of any length takes no more memory than one of its windows. Where a protocol keeps some classes unseen,
    training never looks at a stretch that shows one of them.

    Args:
        root: folder of the data set.
        windows: how videos are cut: `SlidingWindows`, or `WholeVideo`.
        options: those that all data sets share, see `VideoDataModule`.
    """

    def __init__(self, root: Path, windows: Windows | None = None, **options: Unpack[VideoOptions]) -> None:
        super().__init__(root, **options)
        self.windows = windows or SlidingWindows()
        self._has_warned = False  # what does not fit, once
        if not isinstance(self.protocol, (ClosedSet, OpenSet)):
            name = type(self.protocol).__name__
            raise InputError(f"data.protocol: {name} is for trimmed videos; localization has ClosedSet and OpenSet.")
        if self.features == "off":
            raise InputError("data.features is off, and localization reads stored features; set it to auto or a store.")

    @property
    def tious(self) -> tuple[float, ...]:
        """The overlaps at which the benchmark counts a detection as right: ActivityNet's, unless it has its own."""
        return tuple(round(0.5 + 0.05 * step, 2) for step in range(10))

    def make_trials(self) -> Sequence[Trial]:
        """What the protocol makes of the data set."""
        trials = super().make_trials()
        assert all(
            isinstance(r, UntrimmedRecord) for trial in trials for p in trial.subsets.values() for r in p.records
        )
        return trials

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
        for records in self.videos().values():
            subset = {record.video_id: cast("UntrimmedRecord", record) for record in records}
            misfits(subset.values(), self._lengths_sec(subset)).check_units(self.annotated_in)
            used |= subset
        remarks = misfits(used.values(), self._lengths_sec(used)).describe()
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
        """How windows lie."""
        return f"Videos are seen as {self.windows.describe()}."
