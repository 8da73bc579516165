"""Data sets of short videos, each of which shows one thing."""

from pathlib import Path
from typing import Literal

from torch.utils.data import DataLoader

from data_modules.batch import Batch
from data_modules.loading.dataset import VideoDataset
from data_modules.loading.sampling import Sampler, WindowSampler
from data_modules.loading.settings import kind_and_settings
from data_modules.loading.transforms import THREE_CROPS
from data_modules.modules.base import VideoDataModule, VideoOptions
from data_modules.modules.crossing import CrossingDataModule
from data_modules.typed_options import Unpack


class TrimmedOptions(VideoOptions, total=False):
    """The options of `TrimmedDataModule`, for constructors that hand them on."""

    sampler: Sampler | None
    test_on: list["TrimmedDataModule"] | None
    num_crops: Literal[1, 3]


class TrimmedDataModule(CrossingDataModule):
    """Videos that are scored as a whole, by a few moments of each.

    Args:
        root: folder of the data set.
        sampler: which moments of a video to look at.
        test_on: the data sets that `CrossDataset` tests on; all but their root, their splits and their class names is
            taken from this data set.
        num_crops: squares that testing looks at in every frame: 1 in the middle; or 3, both ends of the long side too,
            where the frozen model sees a part of the frame only.
        options: those that all data sets share, see `VideoDataModule`.
    """

    def __init__(
        self,
        root: Path,
        sampler: Sampler | None = None,
        test_on: list["TrimmedDataModule"] | None = None,
        num_crops: Literal[1, 3] = 1,
        **options: Unpack[VideoOptions],
    ) -> None:
        super().__init__(root, **options)
        self.sampler = sampler or WindowSampler()
        if num_crops == 3:
            self.crops = tuple(self.crops[0].at(place) for place in THREE_CROPS)
        self.look_at(test_on)

    def dataset(self, name: str, *, training: bool, number: int = 0) -> VideoDataset:
        """The usable videos of one subset of a trial: one random view of each, or the sampler's test views."""
        records, stores = self.usable(name, training=training, number=number)
        crops = self.crops[:1] if training else self.crops
        return VideoDataset(records, self.sampler, stores or crops, training=training, seed=self.seed_of(number))

    def examples_dataloader(self) -> DataLoader[Batch]:
        """The training videos in the views of testing, in the middle of the frame."""
        records, stores = self.usable("train", training=True)
        sources, seed = stores or self.crops[:1], self.seed_of(0)
        return self._in_order(VideoDataset(records, self.sampler, sources, training=False, seed=seed), "train")

    def inference_config(self) -> dict[str, object]:
        """As for all data sets, and the sampler by kind and settings."""
        return {**super().inference_config(), "sampler": kind_and_settings(self.sampler)}

    def describe_views(self) -> str:
        """The sampler's test views, and how many squares of each frame."""
        crops = ", 3 crops each" if len(self.crops) > 1 else ""
        return f"Tested on {self.sampler.describe()}{crops}; probabilities are averaged over views."

    def take_settings_of(self, other: VideoDataModule) -> None:
        """As for all data sets, and the sampler."""
        super().take_settings_of(other)
        assert isinstance(other, TrimmedDataModule)
        self.sampler = other.sampler
