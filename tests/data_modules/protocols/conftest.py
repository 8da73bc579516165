from pathlib import Path

import pytest

from data_modules.batch import Record
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split

NAMES = ("cut", "dive", "eat", "fall", "golf", "hug")
COUNTS: dict[Split, int] = {"train": 8, "val": 2, "test": 3}


@pytest.fixture
def dataset_index() -> DatasetIndex:
    """Six classes; the official spelling is in capitals."""
    records = {
        split: [
            Record(f"{split}/{name}/{number}", Path(f"{split}/{name}/{number}.mp4"), target)
            for target, name in enumerate(NAMES)
            for number in range(COUNTS[split])
        ]
        for split in SPLITS
    }
    return DatasetIndex(NAMES, records, [name.upper() for name in NAMES])
