"""Data sets of short videos, each of which shows one thing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from torch.utils.data import DataLoader

from data_modules.batch import Batch
from data_modules.errors import InputError
from data_modules.loading.dataset import VideoDataset
from data_modules.loading.sampling import Sampler, WindowSampler
from data_modules.loading.settings import kind_and_settings
from data_modules.loading.transforms import THREE_CROPS
from data_modules.modules.base import VideoDataModule, VideoOptions
from data_modules.protocols import CrossDataset
from data_modules.protocols.trial import Subset, Trial
from data_modules.typed_options import Unpack


class TrimmedOptions(VideoOptions, total=False):
    """The options of `TrimmedDataModule`, for constructors that hand them on."""

    sampler: Sampler | None
    test_on: list["TrimmedDataModule"] | None
    num_crops: Literal[1, 3]


class TrimmedDataModule(VideoDataModule):
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
        self.test_on: Sequence[TrimmedDataModule] = test_on or []
        for other in self.test_on:
            other._take_settings_of(self)
        self._elsewhere: dict[str, TrimmedDataModule] = {}  # tests whose videos another data set has

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

    def owner_of(self, name: str) -> VideoDataModule:
        """The data set that the videos of one subset are of."""
        return self._elsewhere.get(name, self)

    def make_trials(self) -> Sequence[Trial]:
        """What the protocol makes of the data set, and of those that it is tested on."""
        trials = super().make_trials()
        crosses = isinstance(self.protocol, CrossDataset)
        if crosses and not self.test_on:
            raise InputError("the protocol CrossDataset tests on other data sets; name them in data.test_on.")
        if self.test_on and not crosses:
            name = type(self.protocol).__name__
            raise InputError(
                f"only the protocol CrossDataset tests on data.test_on, and this is {name}; drop one of them."
            )
        if not crosses:
            return trials
        tests: dict[str, Subset] = {}
        for other in self.test_on:
            for name, subset in other.tests_of_its_own().items():
                name = other.dataset_name if name == "test" else f"{other.dataset_name}_{name}"
                if name in tests:
                    raise InputError(
                        f"data.test_on: the folders {self._elsewhere[name].root} and {other.root} have one name, and "
                        "so would their tests; call one of them otherwise."
                    )
                tests[name] = subset
                self._elsewhere[name] = other
        return [Trial(trial.name, trial.train, tests, trial.val) for trial in trials]

    def tests_of_its_own(self) -> Mapping[str, Subset]:
        """What a model that was trained elsewhere is tested on here."""
        if "zero_shot" in self.dataset_index.published:
            (trial,) = self.dataset_index.published["zero_shot"]()
            return trial.tests
        return {"test": self.dataset_index.subset("test")}

    def _take_settings_of(self, other: "TrimmedDataModule") -> None:
        self.sampler, self.crops, self.frame_rate = other.sampler, other.crops, other.frame_rate
        self.features_root, self.num_workers, self.seed = other.features_root, other.num_workers, other.seed
        if other.features == "off":
            self.features = "off"
