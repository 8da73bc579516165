from pathlib import Path

import pytest

from data_modules import VideoFolder
from data_modules.errors import InputError


def make_files(root: Path, names: list[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not looked into when listing")
    return root


def in_split(data: VideoFolder, split: str) -> list[str]:
    return [record.video_id for record in data.catalog.records[split]]  # type: ignore[index]


def test_class_folders_are_divided_class_by_class_and_alike_each_time(tmp_path: Path) -> None:
    names = [f"{label}/{index:02d}.mp4" for label in ("riding_horse", "wave") for index in range(10)]
    root = make_files(tmp_path, names)
    first, again = VideoFolder(root), VideoFolder(root)
    other = VideoFolder(root, split_seed=1)
    assert first.class_names == ["riding horse", "wave"]
    assert [len(in_split(first, split)) for split in ("train", "val", "test")] == [14, 2, 4]
    assert sum(name.startswith("wave") for name in in_split(first, "test")) == 2
    everything = [name for split in ("train", "val", "test") for name in in_split(first, split)]
    assert sorted(everything) == sorted(names)
    assert in_split(first, "test") == in_split(again, "test") != in_split(other, "test")
    targets = {record.video_id: record.target for record in first.catalog.records["train"]}
    assert all(target == int(name.startswith("wave")) for name, target in targets.items())


def test_split_folders_are_kept_as_they_are(tmp_path: Path) -> None:
    root = make_files(
        tmp_path, ["train/a/1.mp4", "train/b/1.avi", "train/b/2.avi", "test/a/3.webm", "validation/b/4.mkv"]
    )
    data = VideoFolder(root)
    assert in_split(data, "train") == ["train/a/1.mp4", "train/b/1.avi", "train/b/2.avi"]
    assert in_split(data, "val") == ["validation/b/4.mkv"]
    assert in_split(data, "test") == ["test/a/3.webm"]


def test_csv_with_splits(tmp_path: Path) -> None:
    make_files(tmp_path, ["v/1.mp4", "v/2.mp4", "v/3.mp4"])
    (tmp_path / "labels.csv").write_text("path,label,split\nv/1.mp4,jump,train\nv/2.mp4,run,val\nv/3.mp4,jump,test\n")
    data = VideoFolder(tmp_path, labels=Path("labels.csv"))
    assert data.class_names == ["jump", "run"]
    assert [in_split(data, split) for split in ("train", "val", "test")] == [["v/1.mp4"], ["v/2.mp4"], ["v/3.mp4"]]


def test_csv_of_windows_and_a_renamed_class(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes("\ufeffpath,label\r\nv/1.mp4,brush_hair\r\nv/2.mp4,wave\r\n".encode())
    data = VideoFolder(tmp_path, labels=Path("labels.csv"), class_names={"brush_hair": "brushing hair"})
    assert data.class_names == ["brushing hair", "wave"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\nv/1.mp4\n", "line 2: 1 columns where the header has 2"),
        ("path,label\nv/1.mp4,a\nv/2.mp4,\n", "line 3: the label is empty"),
        ("path,label\nv/1.mp4,a\nv/1.mp4,b\n", "line 3: v/1.mp4 stands already on line 2"),
        ("path,label,split\nv/1.mp4,a,training\n", "'training' is not a split; use train, val or test"),
        ("path,label\n../1.mp4,a\n", "line 2: ../1.mp4 lies outside of"),
        ("video,class\nv/1.mp4,a\n", "the first line must be path,label or path,label,split"),
        ("", "the first line must be"),
        ("path,label\n", "names no video"),
    ],
)
def test_a_bad_csv_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        VideoFolder(tmp_path, labels=Path("labels.csv")).scan()


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        VideoFolder(tmp_path / "nowhere").scan()
    with pytest.raises(InputError, match="has no class folders"):
        VideoFolder(tmp_path).scan()
    make_files(tmp_path, ["a/1.mp4", "b/readme.txt"])
    with pytest.raises(InputError, match=r"the class folder .*b has no videos"):
        VideoFolder(tmp_path).scan()
    with pytest.raises(InputError, match="there is no label file"):
        VideoFolder(tmp_path, labels=Path("labels.csv")).scan()
    (tmp_path / "b" / "2.mp4").touch()
    with pytest.raises(InputError, match="both be called 'x'"):
        VideoFolder(tmp_path, class_names={"a": "x", "b": "x"}).scan()
    with pytest.raises(InputError, match="renames 'c'"):
        VideoFolder(tmp_path, class_names={"c": "x"}).scan()
    with pytest.raises(InputError, match="leave room for training"):
        VideoFolder(tmp_path, val_fraction=0.5, test_fraction=0.5)
