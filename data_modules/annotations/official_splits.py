"""Official splits to records and trials."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

from data_modules.annotations.lazy_records import LazyRecords
from data_modules.annotations.list_files import ClassTable
from data_modules.annotations.official_files import Listed
from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.protocols.trial import Split, Subset, Trial

Locate: TypeAlias = Callable[[str, str], tuple[str, Path]]  # name as listed, official label -> video id, file

ALL_SPLITS = (1, 2, 3)


def to_records(videos: Iterable[Listed], table: ClassTable, locate: Locate) -> tuple[Record, ...]:
    """Records of the videos of an official file, in its order.

    Raises:
        InputError: when a class is unknown, or a video stands there twice.
    """
    places: dict[str, str] = {}
    records = []
    for where, label, stem in videos:
        target = table.known(label, where)
        try:
            video_id, path = locate(stem, table.labels[target])
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        if (first := places.setdefault(video_id, where)) is not where:
            raise InputError(f"{where}: {stem} stands already in {first}; remove one of the two.")
        records.append(Record(video_id, path, target))
    return tuple(records)


class OfficialSplits:
    """The three official splits of HMDB-51 and UCF-101; a list is read when it is asked for, once.

    Args:
        class_names: as shown to CLIP.
        chosen: the splits asked for; `records` are those of the first.
        read: the videos of a split, training or test.
    """

    def __init__(
        self, class_names: Sequence[str], chosen: Sequence[int], read: Callable[[int, Split], tuple[Record, ...]]
    ) -> None:
        self.class_names, self.chosen = tuple(class_names), tuple(chosen)
        self._read = {
            number: LazyRecords(partial(read, number, "train"), partial(read, number, "test")) for number in ALL_SPLITS
        }

    @property
    def records(self) -> LazyRecords:
        """Training and test videos of the first split asked for."""
        return self._read[self.chosen[0]]

    def subset(self, number: int, split: Split) -> Subset:
        """Training or test videos of one split."""
        return Subset(self.class_names, tuple(self._read[number][split]))

    def closed_set(self) -> list[Trial]:
        """A trial for each split that is asked for."""
        return [
            Trial(f"split {number}", self.subset(number, "train"), {"test": self.subset(number, "test")})
            for number in self.chosen
        ]

    def zero_shot(self) -> list[Trial]:
        """Nothing to train on; all three test splits."""
        tests = {f"split{number}": self.subset(number, "test") for number in ALL_SPLITS}
        return [Trial("zero-shot", Subset(self.class_names, ()), tests)]

    def test_of_few_shot(self) -> Subset:
        """The test videos of split 1, the split that published few-shot lists are drawn from.

        Raises:
            InputError: when another split is asked for.
        """
        if self.chosen != (1,):
            raise InputError(
                "data: the published few-shot lists are drawn from the training videos of official split 1, and many "
                "of those are test videos of the other splits: leave data.splits at [1]."
            )
        return self.subset(1, "test")


def check_splits(splits: Sequence[int]) -> tuple[int, ...]:
    """Split numbers as given by the user.

    Raises:
        InputError: when they are not different ones of 1, 2 and 3.
    """
    if not splits or len(set(splits)) < len(splits) or not set(splits) <= set(ALL_SPLITS):
        raise InputError(f"data: splits must name different ones of 1, 2 and 3, not {list(splits)}.")
    return tuple(splits)
