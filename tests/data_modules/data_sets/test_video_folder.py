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
    return [record.video_id for record in data.dataset_index.records[split]]  # type: ignore[index]


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
    targets = {record.video_id: record.target for record in first.dataset_index.records["train"]}
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
        ("path,label\nv/1.mp4,a\nv/1.mp4,a\n", "line 3: v/1.mp4 stands already on line 2"),
        ("path,label,split\nv/1.mp4,a,practice\n", '"practice" is not a split; use train, val or test'),
        ("path,label\n../1.mp4,a\n", "line 2: ../1.mp4 lies outside of"),
        ("video,class\nv/1.mp4,a\n", "line 1: the header must be path,label or path,label,split"),
        ("", "line 1: the file is empty; it needs the header path,label"),
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
    with pytest.raises(InputError, match=r"there is no folder .*xxx"):
        VideoFolder(tmp_path / ("x" * 300)).scan()
    with pytest.raises(InputError, match=r"there is no label file .*xxx"):
        VideoFolder(tmp_path, labels=Path("x" * 300)).scan()
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


def rows_of(data: VideoFolder) -> list[tuple[str, str]]:
    labels = data.dataset_index.labels
    return [(r.video_id, labels[r.target]) for records in data.dataset_index.records.values() for r in records]


def test_rows_as_people_and_programs_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Letters with accents are composed in the list and not on disk, as some systems keep them.
    make_files(tmp_path / "videos", ["v/1.mp4", "v/2.webm", "v/cafe\u0301/3.mp4", "v/4.mp4", "v/4/5.mp4"])
    monkeypatch.chdir(tmp_path)
    rows = [f"{tmp_path}/videos/v/1.mp4", "v\\2", "v/caf\u00e9/3", "./v/x/../4"]
    text = "\r".join(["\ufeffLabel, Path", "", *(f"a,{row}" for row in rows), ",", 'a,"gone, too.mp4"'])
    Path("labels.csv").write_bytes(text.encode())
    data = VideoFolder(Path("videos"), tmp_path / "labels.csv", val_fraction=0.0, test_fraction=0.0)
    expected = ["v/1.mp4", "v/2.webm", "v/cafe\u0301/3.mp4", "v/4.mp4", "gone, too.mp4"]
    assert rows_of(data) == [(name, "a") for name in expected]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("path,label\nv/1.mp4,caf\u00e9\n".encode("cp1252"), "line 2: this is not UTF-8 text"),
        ('path,label\nv/1.mp4,"a\n'.encode("utf-16"), "line 2: the row that begins here cannot be read"),
        (b'path,label\nv/1.mp4,"a\nv/2.mp4,a\nv/3.mp4,a\n', "line 2: the row that begins here cannot be read"),
        (b'path,label\nv/1.mp4,"a\nv/2.mp4,a"\nv/3.mp4,a\n', "line 2: the label goes on over the rows below"),
        (b'path,label\n"v/1.mp4,a\nv/2.mp4",a\n', "line 2: the path goes on over the rows below"),
        (b"path,label\nv/1.mp4,a\nv/1,a\n", "line 3: v/1 stands already on line 2"),
        (b"path,label\nv/1.mp4,a\n\0,b\n", "line 3: this is not a text file"),
        (b"path,label\nv/%b.mp4,b\n" % (b"x" * 300), "line 2: no file can be called .* it has 304 bytes, and 255 is"),
        (b"path,label\nv/%b,b\n" % (b"x" * 250), "line 2: no file can be called .* it has 250 bytes, and 240 is"),
        (b"path,label\n%b,b\n" % (b"v/" * 3000), "line 2: no file can be called .* more than 2,000 bytes"),
    ],
)
def test_a_damaged_csv_is_named_with_its_line(tmp_path: Path, data: bytes, message: str) -> None:
    make_files(tmp_path, ["v/1.mp4", "v/2.mp4", "v/3.mp4"])
    (tmp_path / "labels.csv").write_bytes(data)
    with pytest.raises(InputError, match=f"labels.csv, {message}"):
        VideoFolder(tmp_path, labels=Path("labels.csv")).scan()
