"""Open set: tested on classes that training never saw."""

from collections.abc import Sequence

from data_modules.errors import InputError
from data_modules.protocols.protocol import Protocol, published, sizes
from data_modules.protocols.trial import DatasetIndex, Trial

SEVERAL = "open_set_"  # how published splits begin where a data set has several


class OpenSet(Protocol):
    """Train on the training videos of some classes, test on the test videos of others.

    Args:
        train_classes: names of the classes to train on, or the path of a file with one a line; null for the published
            split of the data set (Kinetics-700: 400 classes against 300).
        test_classes: names of the classes to test on, or a file of them; null, with ``train_classes`` given, for all
            others.
        split: which published split to take where the data set has several, such as ``75_25`` or ``50_50`` (THUMOS14
            and ActivityNet: per cent of classes seen and unseen, 10 trials each).

    Source: ``datasplits/Open-set Action Recognition`` and ``Open-set Action Localisation`` of ju-chen/Efficient-Prompt.
    """

    def __init__(
        self,
        train_classes: list[str] | None = None,
        test_classes: list[str] | None = None,
        split: str | int | None = None,
    ) -> None:
        if split is not None and (train_classes or test_classes):
            raise InputError("protocol: split names a published split of the classes; drop train_classes, or split.")
        self.train_classes, self.test_classes = train_classes, test_classes
        self.split = None if split is None else str(split)

    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """One trial, or those of a published split."""
        if self.train_classes is None:
            return self._published(index)
        seen = known_names(index, self.train_classes, "train_classes")
        others = [name for name in index.class_names if name not in seen]
        unseen = known_names(index, self.test_classes, "test_classes") if self.test_classes else others
        if both := sorted(set(seen) & set(unseen)):
            raise InputError(f"protocol: '{both[0]}' stands in train_classes and in test_classes.")
        val = index.subset("val").only(seen)
        tests = {"test": index.subset("test").only(unseen)}
        return [Trial("open set", index.subset("train").only(seen), tests, val if val.records else None)]

    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """How many classes are seen and unseen, in how many published splits; and the videos."""
        first = trials[0]
        seen, unseen = len(first.train.class_names), len(first.tests["test"].class_names)
        if len(trials) > 1:
            return (
                f"open set: {len(trials)} {index.published_word} splits of the classes; in each, {seen} are seen in "
                f"training, and tested are {unseen} others, among their own names; {sizes(first)} videos in the first."
            )
        return (
            f"open set: {seen} classes are seen in training, and tested are {unseen} others, among their own names; "
            f"{sizes(first)} videos."
        )

    def _published(self, index: DatasetIndex) -> Sequence[Trial]:
        """What others have published: the only split, or the one that is named."""
        several = sorted(name.removeprefix(SEVERAL) for name in index.published if name.startswith(SEVERAL))
        if self.split is None and ("open_set" in index.published or not several):
            return published(index, "open_set", "Name the classes in train_classes.")
        for name in several:
            if self.split in (name, name.replace("_", "")):  # YAML takes 75_25 for the number 7525
                return index.published[f"{SEVERAL}{name}"]()
        request = "name one of them in split" if self.split is None else f"there is no '{self.split}'"
        known = f"are {', '.join(several)}" if several else "have no names"
        raise InputError(f"protocol: the published open-set splits of this data set {known}; {request}.")


def known_names(index: DatasetIndex, names: Sequence[str], what: str) -> list[str]:
    """Class names as shown to CLIP, given as such or in the official spelling.

    Raises:
        InputError: when there is no such class, or one stands there twice.
    """
    by_label = dict(zip(index.labels, index.class_names, strict=False))
    class_names = [by_label.get(name, name) for name in names]
    for class_name, name in zip(class_names, names, strict=True):
        if class_name not in index.class_names:
            raise InputError(f"protocol: {what} names '{name}', which is no class of this data set.")
        if class_names.count(class_name) > 1:
            raise InputError(f"protocol: {what} names '{name}' twice.")
    return class_names
