"""Data sets that other data sets are tested on, for the protocol `CrossDataset`."""

from collections.abc import Mapping, Sequence

from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from data_modules.protocols import CrossDataset
from data_modules.protocols.trial import Subset, Trial


class CrossingDataModule(VideoDataModule):
    """A data module that may have its tests in other data sets of its kind."""

    test_on: Sequence["CrossingDataModule"]
    _elsewhere: dict[str, "CrossingDataModule"]  # tests whose videos another data set has

    def look_at(self, test_on: Sequence["CrossingDataModule"] | None) -> None:
        """Test on other data sets, with the settings of this one; to be called by the constructor.

        Args:
            test_on: these; None: none.
        """
        self.test_on, self._elsewhere = test_on or [], {}
        for other in self.test_on:
            other.take_settings_of(self)

    def take_settings_of(self, other: VideoDataModule) -> None:
        """See videos as another data set does."""
        self.crops, self.frame_rate = other.crops, other.frame_rate
        self.features_root, self.num_workers, self.seed = other.features_root, other.num_workers, other.seed
        if other.features == "off":
            self.features = "off"

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
        (class_names,) = (trial.train.class_names for trial in trials)
        for other in self.test_on:
            for name, subset in other.tests_for(class_names).items():
                name = other.dataset_name if name == "test" else f"{other.dataset_name}_{name}"
                if name in tests:
                    raise InputError(
                        f"data.test_on: the folders {self._elsewhere[name].root} and {other.root} have one name, and "
                        "so would their tests; call one of them otherwise."
                    )
                tests[name] = subset
                self._elsewhere[name] = other
        return [Trial(trial.name, trial.train, tests, trial.val) for trial in trials]

    def tests_for(self, class_names: Sequence[str]) -> Mapping[str, Subset]:
        """What a model that was trained elsewhere is tested on here.

        Args:
            class_names: that it was trained on.
        """
        if "zero_shot" in self.dataset_index.published:
            (trial,) = self.dataset_index.published["zero_shot"]()
            return trial.tests
        return {"test": self.dataset_index.subset("test")}
