"""What a protocol is made of: subsets of a data set, and trials, each with one training and its tests."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args, overload

from data_modules.batch import Record

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Subset:
    """Videos, and the class names that they are scored against.

    Args:
        class_names: the candidates; targets index them.
        records: the videos, in a fixed order.
    """

    class_names: tuple[str, ...]
    records: tuple[Record, ...]

    @property
    def num_unknown(self) -> int:
        """Videos that show none of the candidates."""
        return sum(not record.targets for record in self.records)

    @property
    def ids(self) -> set[str]:
        """Of its videos."""
        return {record.video_id for record in self.records}

    def without(self, ids: Collection[str]) -> "Subset":
        """All but some videos."""
        return replace(self, records=tuple(record for record in self.records if record.video_id not in ids))

    def only(self, class_names: Sequence[str]) -> "Subset":
        """The videos of some classes, scored against the names of those alone."""
        new_target = {self.class_names.index(name): target for target, name in enumerate(class_names)}
        kept = (record.renumbered(new_target) for record in self.records)
        return Subset(tuple(class_names), tuple(record for record in kept if record is not None))

    def among(self, class_names: Sequence[str]) -> "Subset":
        """The same videos, scored against more names."""
        new_target = {target: list(class_names).index(name) for target, name in enumerate(self.class_names)}
        kept = (record.renumbered(new_target) for record in self.records)
        return Subset(tuple(class_names), tuple(record for record in kept if record is not None))


@dataclass(frozen=True)
class Trial:
    """One training and its tests.

    Args:
        name: of the trial, for tables.
        train: what is trained on; no videos where nothing is.
        tests: what is tested, by name; the only test of a trial is called ``test``.
        val: what the best checkpoint is chosen on; None: the last one is kept.
        harmonic_means: figure -> the two tests that it is the harmonic mean of; without any, tests are averaged.
    """

    name: str
    train: Subset
    tests: Mapping[str, Subset]
    val: Subset | None = None
    harmonic_means: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def subsets(self) -> dict[str, Subset]:
        """Every subset of the trial by name."""
        val = {"val": self.val} if self.val is not None else {}
        return {"train": self.train, **val, **self.tests}


class LazyTrials(Sequence[Trial]):
    """Trials that are made when they are asked for, once: where one of ten is run, nine need not be.

    Args:
        make: a trial by its number.
        count: how many there are.
    """

    def __init__(self, make: Callable[[int], Trial], count: int) -> None:
        self._make, self._count = make, count
        self._made: dict[int, Trial] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Trial: ...
    @overload
    def __getitem__(self, place: slice) -> list[Trial]: ...
    def __getitem__(self, place: int | slice) -> Trial | list[Trial]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(self._count))]
        number = range(self._count)[place]
        if number not in self._made:
            self._made[number] = self._make(number)
        return self._made[number]


@dataclass(frozen=True)
class DatasetIndex:
    """What a data set holds, whatever the protocol.

    Args:
        class_names: as shown to CLIP.
        records: the videos of each official split, in a fixed order; targets index ``class_names``.
        labels: the official spelling of each class name; empty where it is the same.
        published: trials that others have published for this data set, by name; read when they are called for.
        read_list: reads a list of videos and labels, of any origin.
        is_made_up: its videos are made here, and its trials with them: protocols call them its own.
    """

    class_names: Sequence[str]
    records: Mapping[Split, Sequence[Record]]
    labels: Sequence[str] = ()
    published: Mapping[str, Callable[[], Sequence[Trial]]] = field(default_factory=dict)
    read_list: Callable[[str], Subset] | None = None
    is_made_up: bool = False

    @property
    def published_word(self) -> str:
        """What its published trials are in words."""
        return "own" if self.is_made_up else "published"

    def subset(self, split: Split) -> Subset:
        """One official split, all classes."""
        return Subset(tuple(self.class_names), tuple(self.records.get(split, ())))
