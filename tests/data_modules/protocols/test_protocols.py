from collections import Counter
from dataclasses import replace

import pytest

from data_modules.errors import InputError
from data_modules.protocols import (
    BaseToNovel,
    ByList,
    ClosedSet,
    CrossDataset,
    FewShot,
    OpenSet,
    Protocol,
    RandomHalves,
    Rejection,
)
from data_modules.protocols.limit import Limit, limited
from data_modules.protocols.trial import DatasetIndex, Subset, Trial


def per_class(subset: Subset) -> Counter[str]:
    return Counter(subset.class_names[record.target] for record in subset.records)


def ids(subset: Subset) -> set[str]:
    return {record.video_id for record in subset.records}


def label_of(video_id: str) -> str:
    return video_id.split("/")[1]


def assert_targets_are_right(trial: Trial) -> None:
    for subset in trial.subsets.values():
        assert all(subset.class_names[record.target] == label_of(record.video_id) for record in subset.records)


def test_closed_set_takes_the_official_splits(dataset_index: DatasetIndex) -> None:
    (trial,) = ClosedSet().trials(dataset_index, 0)
    assert {name: len(subset.records) for name, subset in trial.subsets.items()} == {"train": 48, "val": 12, "test": 18}
    assert "all 6 classes are seen in training" in ClosedSet().describe(dataset_index, [trial])


def test_closed_set_holds_videos_out_where_there_are_none_to_choose_on(dataset_index: DatasetIndex) -> None:
    bare = replace(dataset_index, records={**dataset_index.records, "val": []})
    (trial,) = ClosedSet(val_fraction=0.25).trials(bare, 0)
    assert trial.val is not None
    assert set(per_class(trial.val).values()) == {2}
    assert set(per_class(trial.train).values()) == {6}
    assert not ids(trial.val) & ids(trial.train)
    (without,) = ClosedSet().trials(bare, 0)
    assert without.val is None


def test_drawn_few_shot_trials(dataset_index: DatasetIndex) -> None:
    protocol = FewShot(shots=2, ways=3, source="drawn", num_trials=5)
    trials = protocol.trials(dataset_index, 0)
    assert len(trials) == 5
    for trial in trials:
        assert len(trial.train.class_names) == 3
        assert set(per_class(trial.train).values()) == {2}
        assert trial.tests["test"].class_names == trial.train.class_names
        assert set(per_class(trial.tests["test"]).values()) == {3}
        assert_targets_are_right(trial)
    assert len({trial.train.class_names for trial in trials}) > 1
    assert protocol.trials(dataset_index, 7) == trials, "the run's seed must not change the trials"
    assert FewShot(shots=2, ways=3, source="drawn", num_trials=5, trials_seed=1).trials(dataset_index, 0) != trials
    assert FewShot(shots=2, ways=3, source="drawn", num_trials=2).trials(dataset_index, 0) == trials[:2]
    assert "6 training videos of 3 classes (drawn out of 6)" in protocol.describe(dataset_index, trials)


def test_drawn_few_shot_of_all_classes(dataset_index: DatasetIndex) -> None:
    (trial,) = FewShot(shots=3, source="drawn").trials(dataset_index, 0)
    assert set(per_class(trial.train).values()) == {3}
    assert len(trial.tests["test"].records) == 18


def test_published_trials_come_as_they_are(dataset_index: DatasetIndex) -> None:
    trials = [
        Trial(f"trial {n}", dataset_index.subset("train"), {"test": dataset_index.subset("test")}) for n in range(4)
    ]
    listed = replace(dataset_index, published={"3way_2shot": lambda: trials})
    assert FewShot(shots=2, ways=3).trials(listed, 0) == trials
    assert FewShot(shots=2, ways=3, num_trials=2).trials(listed, 0) == trials[:2]
    with pytest.raises(InputError, match="num_trials is 5, and 4 are published"):
        FewShot(shots=2, ways=3, num_trials=5).trials(listed, 0)
    with pytest.raises(
        InputError, match="no published trials '7shot' are known for this data set; published are: 3way"
    ):
        FewShot(shots=7).trials(listed, 0)


def test_too_many_shots_or_ways(dataset_index: DatasetIndex) -> None:
    with pytest.raises(InputError, match="9 shots are asked for, and class 'cut' has 8 training videos"):
        FewShot(shots=9, source="drawn").trials(dataset_index, 0)
    with pytest.raises(InputError, match="7 ways of a data set of 6 classes"):
        FewShot(ways=7, source="drawn").trials(dataset_index, 0)


def test_open_set_by_names_in_either_spelling(dataset_index: DatasetIndex) -> None:
    (trial,) = OpenSet(train_classes=["CUT", "eat"]).trials(dataset_index, 0)
    assert trial.train.class_names == ("cut", "eat")
    assert trial.tests["test"].class_names == ("dive", "fall", "golf", "hug")
    assert trial.val is not None
    assert trial.val.class_names == ("cut", "eat")
    assert_targets_are_right(trial)


def open_sets(dataset_index: DatasetIndex) -> DatasetIndex:
    """With two published splits: one of 3 trials, one of a single trial."""

    def split(seen: int, number: int) -> list[Trial]:
        return [
            Trial(
                f"split {n}",
                dataset_index.subset("train").only(dataset_index.class_names[:seen]),
                {"test": dataset_index.subset("test").only(dataset_index.class_names[seen:])},
            )
            for n in range(number)
        ]

    return replace(
        dataset_index, published={"open_set_75_25": lambda: split(4, 3), "open_set_50_50": lambda: split(3, 1)}
    )


def test_open_set_by_the_name_of_a_published_split(dataset_index: DatasetIndex) -> None:
    several = open_sets(dataset_index)
    protocol = OpenSet(split="75_25")
    trials = protocol.trials(several, 0)
    assert [trial.name for trial in trials] == ["split 0", "split 1", "split 2"]
    assert trials[0].train.class_names == ("cut", "dive", "eat", "fall")
    assert protocol.describe(several, trials) == (
        "open set: 3 published splits of the classes; in each, 4 are seen in training, and tested are 2 others, among "
        "their own names; 32 train, 6 test videos in the first."
    )
    assert OpenSet(split=7525).trials(several, 0) == trials, "as YAML reads 75_25"
    one = OpenSet(split="50_50")
    assert "open set: 3 classes are seen in training" in one.describe(several, one.trials(several, 0))
    assert OpenSet(train_classes=["cut"]).trials(several, 0)[0].train.class_names == ("cut",)
    only = replace(dataset_index, published={"open_set": several.published["open_set_50_50"]})
    assert len(OpenSet().trials(only, 0)) == 1


def test_a_published_split_must_be_named_where_there_are_several(dataset_index: DatasetIndex) -> None:
    known = "the published open-set splits of this data set are 50_50, 75_25; "
    with pytest.raises(InputError, match=known + "name one of them in split"):
        OpenSet().trials(open_sets(dataset_index), 0)
    with pytest.raises(InputError, match=known + "there is no '60_40'"):
        OpenSet(split="60_40").trials(open_sets(dataset_index), 0)
    with pytest.raises(InputError, match="drop train_classes, or split"):
        OpenSet(train_classes=["cut"], split="75_25")


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (OpenSet(["cut", "swim"]), "train_classes names 'swim', which is no class"),
        (OpenSet(["cut", "CUT"]), "train_classes names 'cut' twice"),
        (OpenSet(["cut"], ["cut", "eat"]), "'cut' stands in train_classes and in test_classes"),
        (OpenSet(), "no published trials 'open_set'"),
        (OpenSet(split="75_25"), "splits of this data set have no names; there is no '75_25'"),
        (ByList("a.txt", "b.txt"), "lists cannot be read"),
    ],
)
def test_mistakes_in_a_protocol(dataset_index: DatasetIndex, protocol: Protocol, message: str) -> None:
    with pytest.raises(InputError, match=message):
        protocol.trials(dataset_index, 0)


def test_base_to_novel_drawn(dataset_index: DatasetIndex) -> None:
    protocol = BaseToNovel(shots=4, source="drawn", num_trials=2, among_all=True)
    trials = protocol.trials(dataset_index, 0)
    assert ids(trials[0].train) != ids(trials[1].train)
    for trial in trials:
        assert_targets_are_right(trial)
        assert trial.train.class_names == ("cut", "dive", "eat")
        assert set(per_class(trial.train).values()) == {4}
        assert trial.tests["novel"].class_names == ("fall", "golf", "hug")
        assert ids(trial.tests["novel"]) == ids(trial.tests["novel_all"])
        assert len(trial.tests["base_all"].class_names) == 6
        assert dict(trial.harmonic_means) == {"hm": ("base", "novel"), "hm_all": ("base_all", "novel_all")}
    words = protocol.describe(dataset_index, trials)
    assert "3 base classes are seen in training (12 videos), 3 novel classes are not" in words
    assert "2 drawn trials" in words


def test_random_halves_part_the_classes(dataset_index: DatasetIndex) -> None:
    trials = RandomHalves(num_trials=4).trials(dataset_index, 0)
    assert len({trial.train.class_names for trial in trials}) > 1
    for trial in trials:
        assert_targets_are_right(trial)
        assert sorted(trial.train.class_names + trial.tests["test"].class_names) == sorted(dataset_index.class_names)
    assert RandomHalves(num_trials=4).trials(dataset_index, 5) == trials


def test_cross_dataset_leaves_the_tests_to_the_data_module(dataset_index: DatasetIndex) -> None:
    (trial,) = CrossDataset().trials(dataset_index, 0)
    assert trial.tests == {}
    assert len(trial.train.records) == 48


def test_limit_keeps_the_first_of_everything(dataset_index: DatasetIndex) -> None:
    protocol = BaseToNovel(source="drawn", shots=None, num_trials=3, among_all=True)
    trials = limited(protocol.trials(dataset_index, 0), Limit(trials=2, classes=2, videos=1))
    assert len(trials) == 2
    for trial in trials:
        assert_targets_are_right(trial)
        assert trial.train.class_names == trial.tests["base"].class_names == ("cut", "dive")
        assert trial.tests["novel"].class_names == ("fall", "golf")
        assert trial.tests["novel_all"].class_names == ("cut", "dive", "fall", "golf")
        assert all(set(per_class(subset).values()) == {1} for subset in trial.subsets.values())


def test_drawing_one_class_does_not_depend_on_the_others(dataset_index: DatasetIndex) -> None:
    (every,) = FewShot(shots=2, source="drawn").trials(dataset_index, 0)
    fewer = [record for record in dataset_index.records["train"] if record.target != 5]
    (without_last,) = FewShot(shots=2, source="drawn").trials(
        DatasetIndex(dataset_index.class_names[:5], {**dataset_index.records, "train": fewer}), 0
    )
    assert ids(without_last.train) < ids(every.train)


def test_rejection_tests_on_all_videos_and_names_some(dataset_index: DatasetIndex) -> None:
    protocol = Rejection(num_trials=3, shots=2)
    trials = protocol.trials(dataset_index, 0)
    assert len({trial.train.class_names for trial in trials}) > 1
    for trial in trials:
        known = trial.train.class_names
        assert len(known) == 3
        assert per_class(trial.train) == dict.fromkeys(known, 2)
        assert trial.val is not None
        assert trial.val.class_names == known
        test = trial.tests["test"]
        assert test.class_names == known
        assert [record.video_id for record in test.records] == [r.video_id for r in dataset_index.records["test"]]
        for record in test.records:
            label = label_of(record.video_id)
            assert record.targets == ((known.index(label),) if label in known else ())
        assert test.num_unknown == 9
    assert protocol.trials(dataset_index, 5) == trials
    words = protocol.describe(dataset_index, trials)
    assert "3 of 6 classes are known" in words
    assert "9 videos show none of them; 3 draws" in words
    (few,) = limited(trials[:1], Limit(1, 2, 1))
    assert few.tests["test"].num_unknown == 2
    assert per_class(few.train) == dict.fromkeys(few.train.class_names, 1)
    names = list(dataset_index.class_names[:2])
    (named,) = Rejection(known_classes=names).trials(dataset_index, 0)
    assert named.train.class_names == tuple(names)


def test_rejection_needs_classes_to_know_and_not_to_know(dataset_index: DatasetIndex) -> None:
    for names in (list(dataset_index.class_names), list(dataset_index.class_names[:1])):
        with pytest.raises(InputError, match="name 2 or more, but not all"):
            Rejection(known_classes=names).trials(dataset_index, 0)
    with pytest.raises(InputError, match="which is no class of this data set"):
        Rejection(known_classes=["flying", "swimming"]).trials(dataset_index, 0)
    with pytest.raises(InputError, match="known_fraction must be between 0 and 1"):
        Rejection(known_fraction=1.0)
    two = replace(dataset_index, class_names=dataset_index.class_names[:2])
    with pytest.raises(InputError, match="of 2 classes none can be left unknown"):
        Rejection().trials(two, 0)
