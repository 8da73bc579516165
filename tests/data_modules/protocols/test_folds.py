"""Folds: each training video is tested once, by what was trained without it."""

from collections import Counter
from pathlib import Path

import pytest

from data_modules.batch import Record
from data_modules.errors import InputError
from data_modules.protocols import Folds
from data_modules.protocols.trial import DatasetIndex


def index_of(*counts: int) -> DatasetIndex:
    """So many training videos of each class, and a test video that no fold may show."""
    records = [
        Record(f"{target}/{number}", Path(f"{target}/{number}.mp4"), target)
        for target, count in enumerate(counts)
        for number in range(count)
    ]
    test = [Record("test", Path("test.mp4"), 0)]
    return DatasetIndex([f"class {target}" for target in range(len(counts))], {"train": records, "test": test})


def test_each_video_is_tested_once_and_never_by_what_saw_it() -> None:
    index = index_of(5, 6, 7)
    trials = Folds().trials(index, 0)
    tested = [record.video_id for trial in trials for record in trial.tests["test"].records]
    assert sorted(tested) == sorted(record.video_id for record in index.records["train"])
    for trial in trials:
        train, test = ({record.video_id for record in trial.subsets[name].records} for name in ("train", "test"))
        assert not train & test
        assert len(train | test) == 18
        assert max(Counter(record.target for record in trial.tests["test"].records).values()) <= 2
    sizes = [len(trial.tests["test"].records) for trial in trials]
    assert max(sizes) - min(sizes) <= 1
    assert "18 of 18 training videos of 3 classes are tested" in Folds().describe(index, trials)


def test_the_seed_alone_decides() -> None:
    index = index_of(5, 5)
    first, again, other = ([t.tests["test"].records for t in Folds().trials(index, seed)] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_few_videos_make_few_folds_and_a_single_one_is_always_trained_on() -> None:
    index = index_of(3, 2, 1)
    trials = Folds().trials(index, 0)
    assert len(trials) == 3
    assert all("2/0" in {record.video_id for record in trial.train.records} for trial in trials)
    assert "5 of 6 training videos" in Folds().describe(index, trials)
    with pytest.raises(InputError, match="no class has two training videos"):
        Folds().trials(index_of(1, 1), 0)
    with pytest.raises(InputError, match="2 or more, not 1"):
        Folds(1)
