"""Open set: tested on classes that training never saw."""

from collections.abc import Sequence

from data_modules.errors import InputError
from data_modules.protocols.protocol import Protocol, published, sizes
from data_modules.protocols.trial import Catalog, Trial


class OpenSet(Protocol):
    """Train on the training videos of some classes, test on the test videos of others.

    Args:
        train_classes: names of the classes to train on, or the path of a file with one a line; null for the published
            split of the data set (Kinetics-700: 400 classes against 300).
        test_classes: names of the classes to test on, or a file of them; null, with ``train_classes`` given, for all
            others.

    Source: ``datasplits/Open-set Action Recognition`` of ju-chen/Efficient-Prompt.
    """

    def __init__(self, train_classes: list[str] | None = None, test_classes: list[str] | None = None) -> None:
        self.train_classes, self.test_classes = train_classes, test_classes

    def trials(self, catalog: Catalog, seed: int) -> Sequence[Trial]:
        """One trial."""
        if self.train_classes is None:
            return published(catalog, "open_set", "Name the classes in train_classes.")
        seen = known_names(catalog, self.train_classes, "train_classes")
        others = [name for name in catalog.class_names if name not in seen]
        unseen = known_names(catalog, self.test_classes, "test_classes") if self.test_classes else others
        if both := sorted(set(seen) & set(unseen)):
            raise InputError(f"protocol: '{both[0]}' stands in train_classes and in test_classes.")
        val = catalog.part("val").only(seen)
        tests = {"test": catalog.part("test").only(unseen)}
        return [Trial("open set", catalog.part("train").only(seen), tests, val if val.records else None)]

    def describe(self, catalog: Catalog, trials: Sequence[Trial]) -> str:
        """In words."""
        (trial,) = trials
        return (
            f"open set: {len(trial.train.class_names)} classes are seen in training, and tested are "
            f"{len(trial.tests['test'].class_names)} others, among their own names; {sizes(trial)} videos."
        )


def known_names(catalog: Catalog, names: Sequence[str], what: str) -> list[str]:
    """Class names as shown to CLIP, given as such or in the official spelling.

    Raises:
        InputError: when there is no such class, or one stands there twice.
    """
    by_label = dict(zip(catalog.labels, catalog.class_names, strict=False))
    found = [by_label.get(name, name) for name in names]
    for name, given in zip(found, names, strict=True):
        if name not in catalog.class_names:
            raise InputError(f"protocol: {what} names '{given}', which is no class of this data set.")
        if found.count(name) > 1:
            raise InputError(f"protocol: {what} names '{given}' twice.")
    return found
