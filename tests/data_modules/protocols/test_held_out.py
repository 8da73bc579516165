"""A part of the training videos as a test, to choose constants on."""

from collections import Counter

import pytest

from data_modules.errors import InputError
from data_modules.protocols import ClosedSet, FewShot, OpenSet
from data_modules.protocols.held_out import held_out
from data_modules.protocols.trial import DatasetIndex, Subset, Trial


def ids(subset: Subset) -> set[str]:
    return {record.video_id for record in subset.records}


def trial_of(protocol: ClosedSet | FewShot | OpenSet, index: DatasetIndex) -> Trial:
    (trial,) = protocol.trials(index, 0)
    return trial


def test_one_video_of_each_class_is_held_out(dataset_index: DatasetIndex) -> None:
    trial = trial_of(FewShot(4, source="drawn"), dataset_index)
    inner = held_out(trial, 3)
    tested = inner.tests["test"]
    assert Counter(record.target for record in tested.records) == dict.fromkeys(range(6), 1)
    assert ids(inner.train) | ids(tested) == ids(trial.train)
    assert not ids(inner.train) & ids(tested)
    assert inner.val is None
    assert tested.class_names == inner.train.class_names == trial.train.class_names
    assert held_out(trial, 3) == inner
    assert held_out(trial, 4) != inner


def test_in_open_set_classes_are_held_out_too(dataset_index: DatasetIndex) -> None:
    seen = list(dataset_index.class_names[:6])[1:]
    trial = trial_of(OpenSet(train_classes=seen), dataset_index)
    inner = held_out(trial, 0)
    base, novel = inner.tests["base"], inner.tests["novel"]
    assert len(novel.class_names) == 2
    assert {*base.class_names, *novel.class_names} == set(seen)
    assert inner.train.class_names == base.class_names
    assert len(base.records) == len(base.class_names)
    assert inner.harmonic_means == {"hm": ("base", "novel")}
    everything = ids(inner.train) | ids(base) | ids(novel)
    assert everything == ids(trial.train), "nothing but training videos, each once"
    assert len(everything) == sum(len(s.records) for s in (inner.train, base, novel))


def test_a_class_with_one_video_has_none_to_spare(dataset_index: DatasetIndex) -> None:
    trial = trial_of(FewShot(1, source="drawn"), dataset_index)
    with pytest.raises(InputError, match=r"the class 'cut' has 1 training video, and one of each .* --choose null"):
        held_out(trial, 0)


def test_too_few_classes_to_hold_some_out(dataset_index: DatasetIndex) -> None:
    trial = trial_of(OpenSet(train_classes=["cut", "dive", "eat"]), dataset_index)
    with pytest.raises(InputError, match="3 training classes are too few to hold some of them out"):
        held_out(trial, 0)
