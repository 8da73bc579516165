"""The records of a data set's splits, each read when it is first asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from data_modules.batch import Record
from data_modules.protocols.trial import Split


class LazyRecords(Mapping[Split, Sequence[Record]]):
    """Split -> records. Few-shot lists need no training list, so one that is missing matters only when it is read.

    Args:
        train: reads the training videos.
        test: reads the test videos.
    """

    def __init__(self, train: Callable[[], Sequence[Record]], test: Callable[[], Sequence[Record]]) -> None:
        # The first one costs nothing: whoever looks at one value to check types reads no list.
        self._read: dict[Split, Callable[[], Sequence[Record]]] = {"val": tuple, "train": train, "test": test}
        self._records: dict[Split, Sequence[Record]] = {}

    def __getitem__(self, split: Split) -> Sequence[Record]:
        if split not in self._records:
            self._records[split] = self._read[split]()
        return self._records[split]

    def __iter__(self) -> Iterator[Split]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)
