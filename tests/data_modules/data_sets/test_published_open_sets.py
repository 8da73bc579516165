"""The packaged class splits of both data sets of untrimmed videos, against a plain reading of the same files."""

import gzip
import json
from pathlib import Path

import pytest

from data_modules import ActivityNet13, Thumos14
from data_modules.annotations.published_lists import LISTS
from data_modules.batch import UntrimmedRecord
from data_modules.modules.untrimmed import UntrimmedDataModule
from data_modules.protocols import OpenSet
from data_modules.protocols.trial import DatasetIndex, LazyTrials, Split, Subset, Trial


def untrimmed(subset: Subset) -> dict[str, UntrimmedRecord]:
    return {record.video_id: record for record in subset.records if isinstance(record, UntrimmedRecord)}


def check_records(subset: Subset, split: Split, index: DatasetIndex) -> None:
    """A subset has all videos that show one of its classes, and hides what shows others."""
    whole, names = untrimmed(index.subset(split)), set(subset.class_names)
    for video_id, record in untrimmed(subset).items():
        labels = [index.class_names[segment.target] for segment in whole[video_id].segments]
        expected = [name for name in labels if name in names]
        assert [subset.class_names[segment.target] for segment in record.segments] == expected
        assert len(record.hidden_sec) == len(labels) - len(expected)
    wanted = [i for i, record in whole.items() if not names.isdisjoint(index.class_names[t] for t in record.targets)]
    assert [record.video_id for record in subset.records] == wanted


@pytest.mark.parametrize(
    ("cls", "split", "share"),
    [
        (Thumos14, "75_25", 0.75),
        (Thumos14, "50_50", 0.5),
        pytest.param(ActivityNet13, "75_25", 0.75, marks=pytest.mark.slow),
        pytest.param(ActivityNet13, "50_50", 0.5, marks=pytest.mark.slow),
    ],
)
def test_published_open_sets(tmp_path: Path, cls: type[UntrimmedDataModule], split: str, share: float) -> None:
    index, protocol = cls(tmp_path).dataset_index, OpenSet(split=split)
    folder = {Thumos14: "thumos14", ActivityNet13: "activitynet"}[cls]
    plain = json.loads(gzip.decompress((LISTS / folder / f"open_set_{split}.json.gz").read_bytes()))
    name_of = dict(zip(index.labels, index.class_names, strict=True))
    trials = protocol.trials(index, 0)
    seen = round(share * len(name_of))
    assert [trial.name for trial in trials] == [f"split {number}" for number in range(10)]
    assert len({trial.train.class_names for trial in trials}) == 10
    halves: dict[Split, int] = {"train": seen, "test": len(name_of) - seen}
    for number, trial in enumerate(trials):
        for half, count in halves.items():
            listed = [plain["classes"][place] for place in plain["parts"][half][str(number)]]
            assert list(trial.subsets[half].class_names) == [name_of[label] for label in listed]
            assert len(listed) == count
            check_records(trial.subsets[half], half, index)
        assert sorted((*trial.train.class_names, *trial.tests["test"].class_names)) == sorted(index.class_names)
    words = protocol.describe(index, trials)
    assert f"10 published splits of the classes; in each, {seen} are seen in training" in words


def test_a_split_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    made: list[int] = []
    nothing = Subset((), ())

    def make(number: int) -> Trial:
        made.append(number)
        return Trial(f"split {number}", nothing, {"test": nothing})

    trials = LazyTrials(make, 10)
    assert (len(trials), made) == (10, [])
    assert trials[-1] is trials[9]
    assert [one.name for one in trials[:4:2]] == ["split 0", "split 2"]
    assert made == [9, 0, 2]
    with pytest.raises(IndexError):
        trials[10]
    data = Thumos14(tmp_path, protocol=OpenSet(split="75_25"), trial=3)
    assert isinstance(data.make_trials(), LazyTrials)
    assert [trial.name for trial in data.trials] == ["split 3"]
