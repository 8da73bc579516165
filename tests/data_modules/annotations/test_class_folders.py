"""Layouts of class folders and split folders."""

from pathlib import Path

import pytest

from data_modules import VideoFolder
from data_modules.annotations.class_folders import rows_of_folders
from data_modules.annotations.split_names import split_named
from data_modules.errors import InputError


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def rows(root: Path) -> list[tuple[str, str, str | None]]:
    return [(path.relative_to(root).as_posix(), label, split) for path, label, split in rows_of_folders(root)]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *[(name, "train") for name in ("train", "Train", "TRAINING", "train_set", "Training Set", "train-videos")],
        *[(name, "val") for name in ("val", "Valid", "validation", "Validation_Set", "VAL", "dev")],
        *[(name, "test") for name in ("test", "Test", "testing", "TEST_SPLIT", "eval", "Evaluation", "testset")],
        *[(name, None) for name in ("trainer", "tests of strength", "trains", "a", "value", "contest", "testify")],
    ],
)
def test_names_of_splits(name: str, split: str | None) -> None:
    assert split_named(name) == split


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("Train", "Val", "Test"), ("training", "validation", "testing"), ("TRAIN_SET", "dev", "eval")],
)
def test_splits_whatever_they_are_called(tmp_path: Path, train: str, val: str, test: str) -> None:
    names = [f"{train}/jump/1.mp4", f"{train}/run/2.mp4", f"{val}/run/3.mp4", f"{test}/jump/4.mp4"]
    data = VideoFolder(make(tmp_path, *names))
    assert data.class_names == ["jump", "run"]
    listed = {split: [record.video_id for record in own] for split, own in data.dataset_index.records.items()}
    assert listed == {"train": names[:2], "val": names[2:3], "test": names[3:]}


def test_a_class_called_train_is_a_class_and_said_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    root = make(tmp_path / "vehicles", "bus/1.mp4", "train/2.mp4", "tram/3.mp4")
    assert [label for _, label, _ in rows(root)] == ["bus", "train", "tram"]
    assert "the folder train holds videos, and is a class of that name" in caplog.text
    both = make(tmp_path / "both", "train/1.mp4", "test/2.mp4")
    assert {(label, split) for _, label, split in rows(both)} == {("train", None), ("test", None)}
    assert "are classes of these names, no splits" in caplog.text


def test_what_lies_beside_class_folders_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["train/a/1.mp4", "test/a/2.mp4", "all/a/3.mp4", "0.mp4", "train/4.mp4", ".old/a/5.mp4", "train/a/.6.mp4"]
    root = make(tmp_path, *names)
    assert rows(root) == [("test/a/2.mp4", "a", "test"), ("train/a/1.mp4", "a", "train")]
    assert "3 videos beside the class folders (the first is 0.mp4)" in caplog.text
    assert "2 hidden videos (the first is .old/a/5.mp4)" in caplog.text


def test_links_are_followed_and_count_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    elsewhere = make(tmp_path / "elsewhere", "2.mp4")
    root = make(tmp_path / "root", "a/1.mp4", "b/3.mp4")
    (root / "a" / "more").symlink_to(elsewhere)
    (root / "a" / "again.mp4").symlink_to(root / "a" / "1.mp4")
    (root / "a" / "loop").symlink_to(root)
    assert [row[:2] for row in rows(root)] == [("a/1.mp4", "a"), ("a/more/2.mp4", "a"), ("b/3.mp4", "b")]
    assert "1 links to a file that counts already (the first is a/again.mp4)" in caplog.text
    (root / "c").symlink_to(root / "b")
    with pytest.raises(InputError, match="c has no videos but links to a folder that counts already"):
        rows(root)


def test_one_video_in_two_classes_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = make(tmp_path, "a/1.mp4", "b/3.mp4")
    (root / "b" / "1.mp4").symlink_to(root / "a" / "1.mp4")
    assert len(rows(root)) == 3
    assert "1 of the videos are in two classes or splits by links" in caplog.text


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train/a/1.mp4", "holdout/a/2.mp4"], "is train a split or a class"),
        (["Train/a/1.mp4", "train/a/2.mp4"], "Train and train are both called as the train split"),
        (["val/a/1.mp4", "Validation/a/2.mp4", "train/a/3.mp4"], "are both called as the val split"),
        (["a/1.mp4", "b/2.xyz"], r"class folder .*b has no videos but files with the suffix \.xyz"),
        (["train/a/1.mp4", "test/readme.txt"], "test has no class folders"),
        (["1.mp4"], "has no class folders"),
        (["test/a/1.mp4"], "no video is left for training"),
    ],
)
def test_layouts_that_are_not_plain(tmp_path: Path, names: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        VideoFolder(make(tmp_path, *names)).scan()


def test_what_the_program_wrote_into_the_root_is_no_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "jump/1.mp4", "features/x/shard.safetensors", "runs/x/results.json")
    monkeypatch.chdir(tmp_path)
    data = VideoFolder(Path())
    assert data.class_names == ["jump"]
    assert data.dataset_name == tmp_path.name
