import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from data_modules.batch import Segment, UntrimmedRecord
from data_modules.data_sets.untrimmed_folder import UntrimmedFolder
from data_modules.errors import InputError
from data_modules.protocols import OpenSet
from data_modules.protocols.trial import SPLITS

Videos = dict[str, tuple[str, list[tuple[str, float, float]]]]  # id -> subset and segments

VIDEOS: Videos = {
    "a": ("training", [("long_jump", 1.0, 4.0), ("throw", 3.0, 5.0)]),
    "b": ("training", [("throw", 0.5, 2.0), ("Ambiguous", 2.5, 3.0)]),
    "c": ("validation", [("long_jump", 7.0, 8.0)]),
    "d": ("testing", [("throw", 2.0, 1.0), ("long_jump", 9.0, 12.0)]),
}


def write(root: Path, videos: Videos, name: str = "annotations.json", suffix: str = ".mp4") -> Path:
    """The annotation, and an empty file for each video."""
    root.mkdir(parents=True, exist_ok=True)
    database: dict[str, Any] = {}
    for video_id, (subset, segments) in videos.items():
        annotations = [{"label": label, "segment": [start, end]} for label, start, end in segments]
        database[video_id] = {"subset": subset, "duration": 10.0, "annotations": annotations}
        (root / f"{video_id}{suffix}").touch()
    text = json.dumps({"database": database})
    path = root / name
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def subset_of(videos: Videos, **subsets: str) -> Videos:
    return {video_id: (subsets.get(subset, subset), segments) for video_id, (subset, segments) in videos.items()}


def parts(data: UntrimmedFolder) -> dict[str, list[str]]:
    data.prepare_data()
    return {split: [record.video_id for record in data.dataset_index.records[split]] for split in SPLITS}


def test_videos_with_their_segments(tmp_path: Path) -> None:
    write(tmp_path, VIDEOS)
    data = UntrimmedFolder(tmp_path)
    assert parts(data) == {"train": ["a", "b"], "val": ["c"], "test": ["d"]}
    assert list(data.dataset_index.labels) == ["long_jump", "throw"]
    assert list(data.dataset_index.class_names) == ["long jump", "throw"]
    assert data.dataset_index.records["train"] == [
        UntrimmedRecord(
            "a",
            tmp_path / "a.mp4",
            segments=(Segment(1.0, 4.0, 0), Segment(3.0, 5.0, 1)),
            duration_sec=10.0,
        ),
        UntrimmedRecord(
            "b",
            tmp_path / "b.mp4",
            segments=(Segment(0.5, 2.0, 1),),
            ambiguous_sec=((2.5, 3.0),),
            duration_sec=10.0,
        ),
    ]
    (trial,) = data.trials
    assert trial.val is not None


@pytest.mark.parametrize(
    ("videos", "expected"),
    [
        (VIDEOS, {"train": ["a", "b"], "val": ["c"], "test": ["d"]}),
        (
            subset_of(VIDEOS, training="Train", validation="val", testing="test"),
            {"train": ["a", "b"], "val": ["c"], "test": ["d"]},
        ),
        # As in ActivityNet: the test videos are not annotated.
        ({**VIDEOS, "d": ("testing", [])}, {"train": ["a", "b"], "val": [], "test": ["c"]}),
        ({name: VIDEOS[name] for name in "abc"}, {"train": ["a", "b"], "val": [], "test": ["c"]}),
        ({name: VIDEOS[name] for name in "abd"}, {"train": ["a", "b"], "val": [], "test": ["d"]}),
        # A video in which nothing happens is tested all the same.
        ({**VIDEOS, "e": ("testing", [])}, {"train": ["a", "b"], "val": ["c"], "test": ["d", "e"]}),
    ],
)
def test_what_the_subsets_are_for(tmp_path: Path, videos: Videos, expected: dict[str, list[str]]) -> None:
    write(tmp_path, videos)
    assert parts(UntrimmedFolder(tmp_path)) == expected


def test_subsets_can_be_named(tmp_path: Path) -> None:
    write(tmp_path, subset_of(VIDEOS, training="background", validation="Validation", testing="Test"))
    data = UntrimmedFolder(tmp_path, subsets={"Validation": "train", "Test": "test"})
    assert parts(data) == {"train": ["c"], "val": [], "test": ["d"]}
    with pytest.raises(
        InputError, match=r"what is the subset 'background' for.*there are Test, Validation, background"
    ):
        parts(UntrimmedFolder(tmp_path))
    with pytest.raises(InputError, match="has no subset 'Testing'; it has Test, Validation, background"):
        parts(UntrimmedFolder(tmp_path, subsets={"Validation": "train", "Testing": "test"}))


def test_the_annotation_lies_anywhere(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "videos", tmp_path / "elsewhere"
    path = write(root, VIDEOS, "mine.json.gz")
    elsewhere.mkdir()
    expected = parts(UntrimmedFolder(root, annotations=Path("mine.json.gz")))
    moved = path.rename(elsewhere / "gt.json.gz")
    assert parts(UntrimmedFolder(root, annotations=moved)) == expected
    with pytest.raises(InputError, match=r"there is no file .*annotations\.json"):
        parts(UntrimmedFolder(root))


def test_videos_may_lie_anywhere_below_and_be_missing(tmp_path: Path) -> None:
    write(tmp_path, VIDEOS)
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.mp4").rename(tmp_path / "deep" / "v_a.webm")
    (tmp_path / "b.mp4").unlink()
    data = UntrimmedFolder(tmp_path)
    data.prepare_data()
    assert [record.path for record in data.dataset_index.records["train"]] == [
        tmp_path / "deep" / "v_a.webm",
        tmp_path / "b.mp4",
    ]
    for path in tmp_path.rglob("*.*"):
        if path.suffix != ".json":
            path.unlink()
    with pytest.raises(InputError, match=r"none of the 4 videos of .*annotations\.json is below .*called a\.mp4"):
        UntrimmedFolder(tmp_path).prepare_data()
    stored = UntrimmedFolder(tmp_path / "none", annotations=tmp_path / "annotations.json", features="a store")
    assert parts(stored) == {"train": ["a", "b"], "val": ["c"], "test": ["d"]}


def test_class_names_can_be_given(tmp_path: Path) -> None:
    write(tmp_path, VIDEOS)
    data = UntrimmedFolder(tmp_path, class_names={"throw": "throwing a ball"})
    assert list(data.dataset_index.class_names) == ["long jump", "throwing a ball"]
    with pytest.raises(InputError, match=r"data\.class_names renames 'thrw', but"):
        UntrimmedFolder(tmp_path, class_names={"thrw": "throwing a ball"}).scan()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("long_jump", "long jump"), "the labels 'long jump' and 'long_jump' would both be called 'long jump'"),
        (("long_jump", "  "), "the label '  ' is empty"),
        (("long_jump", ""), r"video 'a', entry 1: 'label' must be a text that is not empty"),
    ],
)
def test_labels_that_cannot_be_told_apart_or_read(tmp_path: Path, labels: tuple[str, str], message: str) -> None:
    segments = [(label, 1.0, 2.0) for label in labels]
    write(tmp_path, {"a": ("training", segments), "b": ("testing", segments)})
    with pytest.raises(InputError, match=message):
        UntrimmedFolder(tmp_path).scan()


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ({}, "names no video"),
        ({"a": VIDEOS["a"]}, "no video to test on is annotated; the subsets are training"),
        ({"d": VIDEOS["d"]}, "no video to train on is annotated; the subsets are testing"),
        ({"a": ("training", []), "d": VIDEOS["d"]}, "no video to train on is annotated"),
    ],
)
def test_nothing_to_train_or_test_on(tmp_path: Path, videos: Videos, message: str) -> None:
    write(tmp_path, videos)
    with pytest.raises(InputError, match=message):
        UntrimmedFolder(tmp_path).scan()


def test_an_open_set_hides_what_is_unseen(tmp_path: Path) -> None:
    write(tmp_path, VIDEOS)
    (trial,) = UntrimmedFolder(tmp_path, protocol=OpenSet(train_classes=["throw"])).trials
    first = trial.train.records[0]
    assert isinstance(first, UntrimmedRecord)
    assert (first.segments, first.hidden_sec) == ((Segment(3.0, 5.0, 0),), ((1.0, 4.0),))
    assert trial.tests["test"].class_names == ("long jump",)
    assert trial.val is None
