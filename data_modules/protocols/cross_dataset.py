"""Cross-data-set: trained on one data set, tested on others as they are."""

from collections.abc import Sequence

from data_modules.protocols.protocol import Protocol, sizes
from data_modules.protocols.trial import DatasetIndex, Trial


class CrossDataset(Protocol):
    """Train on all classes of this data set, test on the data sets of ``data.test_on``.

    What is tested there is what each of them publishes for it: HMDB-51 and UCF-101 over their three test splits,
    Kinetics-600 over three sets of 160 classes that Kinetics-400 lacks. Data sets for localization are tested on all of
    their classes, and apart on those that are called as a training class, or nearly so (`overlapping`), and the others.
    """

    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """One trial, without tests: the data module adds those of the other data sets."""
        val = index.subset("val")
        return [Trial("cross-data-set", index.subset("train"), {}, val if val.records else None)]

    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """How many classes are trained on, and what is tested."""
        (trial,) = trials
        others = ", ".join(f"{name} ({len(subset.class_names)} classes)" for name, subset in trial.tests.items())
        return (
            f"cross-data-set: trained on all {len(trial.train.class_names)} classes of this data set, tested on "
            f"{others}, of which no video was seen; {sizes(trial)} videos."
        )
