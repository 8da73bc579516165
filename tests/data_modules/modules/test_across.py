"""Localization in the field's terms: test videos left out by name, and tests on another data set."""

from pathlib import Path
from typing import Any

import pytest

from data_modules import ActivityNet13, Thumos14
from data_modules.batch import UntrimmedRecord
from data_modules.errors import InputError
from data_modules.loading.windows import SlidingWindows
from data_modules.modules.excluded_videos import excluded_ids
from data_modules.protocols import CrossDataset, FewShot, OpenSet

STORED = {"features": "/nowhere"}  # so that no video is looked for


def thumos14(**options: Any) -> Thumos14:  # noqa: ANN401 - the constructor's
    return Thumos14(Path("/nowhere/thumos14"), **{**STORED, **options})


def activitynet(**options: Any) -> ActivityNet13:  # noqa: ANN401 - the constructor's
    return ActivityNet13(Path("/nowhere/activitynet"), **{**STORED, **options})


def ids_of(data: Thumos14 | ActivityNet13, number: int = 0) -> list[str]:
    return [record.video_id for record in data.trials[number].tests["test"].records]


def test_the_videos_that_papers_leave_out() -> None:
    whole, known = ids_of(thumos14()), ids_of(data := thumos14(exclude="known"))
    assert len(whole) == 212
    assert sorted(set(whole) - set(known)) == ["video_test_0000270", "video_test_0001496"]
    assert [video_id for video_id in whole if video_id in known] == known
    told = " 2 of 212 test videos of thumos14 are left out: video_test_0000270, video_test_0001496."
    assert data.describe_protocol().endswith(told)
    assert len(data.trials[0].train.records) == 200
    assert "left out" not in thumos14().describe_protocol()


def test_ids_of_ones_own_in_a_list_and_in_a_file(tmp_path: Path) -> None:
    ids = ["video_test_0000004", "video_test_0001292"]
    assert set(ids_of(thumos14())) - set(ids_of(thumos14(exclude=ids))) == {ids[0]}, "the other is never tested"
    path = tmp_path / "ids.txt"
    path.write_text("video_test_0000004\n\nvideo_test_0000006\n")
    assert len(ids_of(thumos14(exclude=str(path)))) == 210


@pytest.mark.slow
def test_every_split_of_an_open_set_goes_without_them() -> None:
    plain, without = (thumos14(protocol=OpenSet(split="50_50"), exclude=e) for e in (None, "known"))
    for number in range(10):
        gone = set(ids_of(plain, number)) - set(ids_of(without, number))
        assert gone <= {"video_test_0000270", "video_test_0001496"}
        assert not gone & set(ids_of(without, number))
    assert any(len(ids_of(plain, n)) > len(ids_of(without, n)) for n in range(10))


@pytest.mark.parametrize(
    ("exclude", "said"),
    [
        (["video_test_9"], "data.exclude names 'video_test_9', which is no test video of thumos14; give ids as the"),
        (["a", "b"], "names 'a' (and 1 more), which is no test video"),
        (["video_validation_0000051"], "names 'video_validation_0000051', which is no test video"),
        ("/nowhere/ids.txt", "/nowhere/ids.txt"),
        ([], "data.exclude names no video of thumos14; null leaves none out."),
    ],
)
def test_unknown_ids_are_an_error(exclude: str | list[str], said: str) -> None:
    with pytest.raises(InputError) as error:
        ids_of(thumos14(exclude=exclude))
    assert said in str(error.value)


def test_of_another_data_set_none_are_known() -> None:
    with pytest.raises(InputError, match="no videos of activitynet are known that papers leave out; give ids"):
        excluded_ids("known", (), ["a"], "activitynet")


@pytest.mark.slow
def test_from_activitynet_to_thumos14_and_back() -> None:
    windows = SlidingWindows(num_frames=64)
    there = activitynet(protocol=CrossDataset(), test_on=[thumos14(exclude="known")], windows=windows, frame_rate=7.0)
    (trial,) = there.trials
    assert len(trial.train.class_names) == 200
    assert list(trial.tests) == ["thumos14", "thumos14_seen", "thumos14_unseen"]
    whole, seen, unseen = trial.tests.values()
    assert [len(part.class_names) for part in trial.tests.values()] == [20, 12, 8]
    assert {*seen.class_names, *unseen.class_names} == set(whole.class_names)
    assert "billiards" in unseen.class_names
    assert len(whole.records) == 210
    counted = [sum(len(r.segments) for r in part.records if isinstance(r, UntrimmedRecord)) for part in (seen, unseen)]
    assert sum(counted) == sum(len(r.segments) for r in whole.records if isinstance(r, UntrimmedRecord))
    (other,) = there.test_on
    assert isinstance(other, Thumos14)
    assert there.owner_of("thumos14_seen") is other
    assert other.windows is windows
    assert other.frame_rate == 7
    assert "12 classes" in there.describe_protocol()
    assert "2 of 212 test videos of thumos14 are left out" in there.describe_protocol()
    back = thumos14(protocol=CrossDataset(), test_on=[activitynet()])
    assert [len(part.class_names) for part in back.trials[0].tests.values()] == [200, 13, 187]


def test_what_does_not_go_together() -> None:
    with pytest.raises(InputError, match=r"name them in data\.test_on"):
        ids_of(thumos14(protocol=CrossDataset()))
    with pytest.raises(InputError, match=r"only the protocol CrossDataset tests on data\.test_on"):
        ids_of(thumos14(test_on=[activitynet()]))
    with pytest.raises(InputError, match="localization has ClosedSet, OpenSet and CrossDataset"):
        thumos14(protocol=FewShot())
