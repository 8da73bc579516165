import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from data_modules import CaptionedFolder
from data_modules.batch import CaptionedRecord
from data_modules.errors import InputError
from data_modules.protocols.trial import SPLITS

NAMES = [f"v/{number:02d}.mp4" for number in range(20)]


def make_files(root: Path, names: list[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not looked into when listing")
    return root


def write(root: Path, text: str, name: str = "captions.csv") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text.encode())
    return Path(name)


def ids(data: CaptionedFolder) -> dict[str, list[str]]:
    return {split: [record.video_id for record in data.dataset_index.records[split]] for split in SPLITS}


def captions(data: CaptionedFolder) -> dict[str, tuple[str, ...]]:
    by_video = {}
    for records in data.dataset_index.records.values():
        for record in records:
            assert isinstance(record, CaptionedRecord)
            by_video[record.video_id] = record.captions
    return by_video


def test_videos_are_divided_with_all_their_captions_and_alike_each_time(tmp_path: Path) -> None:
    root = make_files(tmp_path, NAMES)
    rows = [f"{name},{text} {name}" for text in ("one", "two", "three") for name in NAMES]
    write(root, "\n".join(["video,caption", *rows]))
    data, other = CaptionedFolder(root), CaptionedFolder(root, split_seed=1)
    by_video = ids(data)
    assert [len(by_video[split]) for split in SPLITS] == [14, 2, 4]
    assert sorted(name for own in by_video.values() for name in own) == [name.removesuffix(".mp4") for name in NAMES]
    assert {len(own) for own in captions(data).values()} == {3}
    assert ids(CaptionedFolder(root, seed=5)) == by_video != ids(other)
    write(root, "\n".join(["video,caption", *rows[::-1]]))
    assert {split: sorted(own) for split, own in ids(CaptionedFolder(root)).items()} == {
        split: sorted(own) for split, own in by_video.items()
    }
    assert len(ids(CaptionedFolder(root, val_fraction=0.0, test_fraction=0.5))["test"]) == 10
    with pytest.raises(InputError, match="leave room for training"):
        CaptionedFolder(root, val_fraction=0.5, test_fraction=0.5)


def test_splits_that_are_named_are_kept_and_others_drawn(tmp_path: Path) -> None:
    root = make_files(tmp_path, NAMES)
    rows = [f"{name},x {name},{'Test' if number < 3 else ''}" for number, name in enumerate(NAMES)]
    write(root, "\n".join(["video,caption,split", *rows, "v/00,another,"]))
    by_video = ids(CaptionedFolder(root))
    assert by_video["test"] == ["v/00", "v/01", "v/02"]
    assert [len(by_video[split]) for split in SPLITS] == [15, 2, 3]
    write(root, "video,split,caption\nv/00,train,x\nv/01,validation,x\nv/02,test,x\n")
    assert ids(CaptionedFolder(root)) == {"train": ["v/00"], "val": ["v/01"], "test": ["v/02"]}


def test_one_video_by_several_names(tmp_path: Path) -> None:
    root = make_files(tmp_path, ["v/a.mp4", "v/b.c.WebM", "d.mkv"])
    rows = ["v/a.mp4,1", "./v/a.mp4,2", "v/a,3", "v/../v//a,4", f"{root}/v/a.mp4,5", "v\\a.mp4,6", "v/b.c,7", "d,8"]
    write(root, "\n".join(["video,caption", *rows]))
    data = CaptionedFolder(root, val_fraction=0.0, test_fraction=0.0)
    assert captions(data) == {"v/a": ("1", "2", "3", "4", "5", "6"), "v/b.c": ("7",), "d": ("8",)}
    paths = [record.path for record in data.dataset_index.records["train"]]
    assert paths == [root / "v" / "a.mp4", root / "v" / "b.c.WebM", root / "d.mkv"]


def test_a_suffix_is_written_where_a_name_may_be_two_files(tmp_path: Path) -> None:
    root = make_files(tmp_path, ["a.mp4", "a.webm"])
    write(root, "video,caption\na,x\n")
    with pytest.raises(InputError, match=r"captions\.csv: a may be a\.mp4 or a\.webm in .*; write its suffix"):
        CaptionedFolder(root).scan()
    write(root, "video,caption\na,x\na.webm,y\n")
    (record,) = CaptionedFolder(root).dataset_index.records["train"]
    assert record.path == root / "a.webm"
    write(root, "video,caption\na.mp4,x\n\na.webm,y\n")
    with pytest.raises(InputError, match=r"line 4: a\.webm is the file a\.webm here and the file a\.mp4 on line 2"):
        CaptionedFolder(root).scan()


def test_captions_as_people_and_spreadsheets_write_them(tmp_path: Path) -> None:
    root = make_files(tmp_path, ["a.mp4", "b.mp4"])
    long = "word " * 1000
    text = (
        '\ufeffVideo, Caption\r\n\r\na.mp4,"A man, a ""plan"",\r\na canal"\r\n ,\r\n,\r\nb.mp4, 日本語 👩‍👩‍👧 naïve\r\n'
        f'b.mp4, "{long}"\r\nb.mp4,it\'s "quoted" inside\r\n\r\n'
    )
    write(root, text)
    data = CaptionedFolder(root, val_fraction=0.0, test_fraction=0.0)
    assert captions(data) == {
        "a": ('A man, a "plan", a canal',),
        "b": ("日本語 👩‍👩‍👧 naïve", long.strip(), 'it\'s "quoted" inside'),
    }


OBJECTS: list[dict[str, Any]] = [
    {"video": "a.mp4", "caption": "one\u2028line"},
    {"video": "b", "caption": ["two", "three"], "split": "test"},
    {"video": "a", "caption": "four 😀", "split": None},
]


@pytest.mark.parametrize("name", ["c.json", "c.jsonl", "c.json.gz"])
def test_json_and_json_lines(tmp_path: Path, name: str) -> None:
    root = make_files(tmp_path, ["a.mp4", "b.mp4"])
    lines = "\r\n\r\n".join(json.dumps(item, ensure_ascii=False) for item in OBJECTS)
    text = lines if name.endswith("l") else json.dumps(OBJECTS)
    (root / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    data = CaptionedFolder(root, Path(name))
    assert captions(data) == {"a": ("one line", "four 😀"), "b": ("two", "three")}
    assert ids(data) == {"train": ["a"], "val": [], "test": ["b"]}


def test_json_by_video_from_elsewhere(tmp_path: Path) -> None:
    root = make_files(tmp_path / "videos", ["a.mp4", "b.mp4"])
    write(tmp_path, '{"a": "one", "b.mp4": ["two", "", "two"]}', "all.json")
    data = CaptionedFolder(root, tmp_path / "all.json", test_fraction=0.0)
    assert captions(data) == {"a": ("one",), "b": ("two",)}
    assert (data.tally.empty, data.tally.repeated) == (["b"], ["b"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.csv", "", r"c\.csv, line 1: the file is empty; it needs the header video,caption"),
        ("c.csv", "\n\n", r"line 1: the file is empty"),
        ("c.csv", "video,caption\n\n", r"c\.csv names no video"),
        ("c.csv", "path,caption\na,x\n", r"line 1: the header must be video,caption or video,caption,split, not"),
        ("c.csv", "video;caption\na;x\n", r'not \["video;caption"\]'),
        ("c.csv", "video,caption,video\na,x,a\n", r"line 1: the header must be"),
        ("c.csv", "a.mp4,x\n", r"line 1: the header must be"),
        ("c.csv", "video,caption\n\na\n", r"line 3: 1 columns where the header has 2"),
        ("c.csv", "video,caption\na,one, two\n", r"line 2: 3 columns where .*; a caption with commas needs quotes"),
        ("c.csv", 'video,caption\na,"x\ny"\nb\n', r"line 4: 1 columns"),
        ("c.csv", 'video,caption\na,x\nb,"never closed\nc,y\n', r"line 3: the row that begins here cannot be read"),
        ("c.csv", 'video,caption\na,"one" two\n', r"line 2: the row that begins here .* close every quote"),
        ("c.csv", "video,caption\n ,x\n", r'line 2: the video is empty; its caption is "x"'),
        ("c.csv", "video,caption\n../a,x\n", r"line 2: \.\./a lies outside of"),
        ("c.csv", "video,caption\n/etc/a,x\n", r"line 2: /etc/a lies outside of"),
        ("c.csv", "video,caption\nv/..,x\n", r"line 2: v/\.\. lies outside of"),
        ("c.csv", "video,caption,split\na,x,practice\n", r'line 2: "practice" is not a split; use train, val or test'),
        ("c.csv", "video,caption,split\na,x,train\na,y,test\n", r"line 3: a is in test here and in train on line 2"),
        ("c.csv", "video,caption,split\na,x,test\n", r"no video is left for training"),
        ("c.csv", "video,caption\na,\n", r"all captions are empty"),
        ("c.csv", "video,caption\na,x\0\n", r"line 2: this is not a text file"),
        ("c.json", "", r"c\.json, line 1: this is not valid JSON"),
        ("c.json", '[{"video": "a"', r"c\.json, line 1: this is not valid JSON: .*column 15"),
        ("c.json", "3", r"a list of objects, or one object {video: captions}, is expected, not 3"),
        ("c.json", "[]", r"c\.json names no video"),
        ("c.json", "{}", r"c\.json names no video"),
        ("c.json", "[" * 100_000, r"c\.json, line 1: this is nested too deeply"),
        ("c.json", '{"a": ["x"], "b": 3}', r"video 'b': the caption must be a text, not 3"),
        ("c.json", '{"a": {"x": 1}}', r"video 'a': the caption must be a text, not {"),
        ("c.json", '{"a": "x", "b": "y", "a": "z"}', r'the key "a" stands twice in one object'),
        ("c.json", '[{"video": "a", "caption": "x"}, ["a", "x"]]', r"entry 1: an object with .* is expected, not \["),
        ("c.json", '[{"video": "a", "text": "x"}]', r"entry 0: an object with .* is expected"),
        ("c.json", '[{"video": 7, "caption": "x"}]', r"entry 0: the video must be a text, not 7"),
        ("c.json", '[{"video": "a", "caption": "\\ud83d"}]', r"c\.json, line 1: \\ud83d is no character"),
        ("c.json", '[{"video": "a\\u0000", "caption": "x"}]', r"c\.json, line 1: \\u0000 is no character"),
        ("c.json", '[{"video": "a", "caption": "x", "split": 1}]', r"entry 0: the split must be a text, not 1"),
        ("c.jsonl", '{"video": "a", "caption": "x"}\n{"video": ', r"line 2: this is not valid JSON"),
        ("c.jsonl", '{"video": "a", "caption": "x"}\n"a"', r"line 2: an object with"),
        ("c.txt", "video,caption\na,x\n", r"captions are read from \.csv, \.json and \.jsonl files"),
    ],
)
def test_a_bad_file_is_named_with_its_entry(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        CaptionedFolder(tmp_path, write(tmp_path, text, name)).scan()
    assert str(tmp_path / name) in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("name", ["c.csv", "c.json", "c.jsonl"])
def test_other_encodings(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"video,caption\na,caf\xe9\n")
    with pytest.raises(InputError, match=rf"{name}, line 2: this is not UTF-8 text; save the file as UTF-8"):
        CaptionedFolder(tmp_path, Path(name)).scan()
    (tmp_path / name).write_bytes("video,caption\n".encode("utf-16-le") + b"\0")
    with pytest.raises(InputError, match=rf"{name}.*line 1: this is not a text file"):
        CaptionedFolder(tmp_path, Path(name)).scan()


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; set data\.root"):
        CaptionedFolder(tmp_path / "nowhere").scan()
    with pytest.raises(InputError, match=r"there is no caption file .*captions\.csv; set data\.captions"):
        CaptionedFolder(tmp_path).scan()
    write(tmp_path, "video,caption\nv/a,x\nv/b.webm,y\n")
    data = CaptionedFolder(tmp_path, test_fraction=0.0)
    with pytest.raises(
        InputError, match=r"none of the 2 videos of .*captions\.csv is below .*v/a\.mp4\. Set data\.root"
    ):
        data.prepare_data()
    # Some are missing: they keep their records, and are counted as broken when they are read.
    make_files(tmp_path, ["v/a.avi"])
    data = CaptionedFolder(tmp_path, test_fraction=0.0)
    data.prepare_data()
    assert [record.path.name for record in data.dataset_index.records["train"]] == ["a.avi", "b.webm"]


def test_ids_are_the_same_where_only_features_are_left(tmp_path: Path) -> None:
    root = make_files(tmp_path / "videos", ["v/a.webm", "b.mkv"])
    text = "video,caption\nv/a,x\nb.mkv,y\n"
    write(tmp_path, text, "all.csv")
    there = CaptionedFolder(root, tmp_path / "all.csv")
    gone = CaptionedFolder(tmp_path / "gone", tmp_path / "all.csv", features="a store")
    gone.prepare_data()
    assert ids(there) == ids(gone)


def test_links_may_lead_out_of_the_folder(tmp_path: Path) -> None:
    make_files(tmp_path / "disk", ["a.mp4"])
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "v").symlink_to(tmp_path / "disk")
    write(tmp_path / "root", "video,caption\nv/a,x\n")
    data = CaptionedFolder(tmp_path / "root")
    data.prepare_data()
    (record,) = data.dataset_index.records["train"]
    assert (record.video_id, record.path) == ("v/a", tmp_path / "root" / "v" / "a.mp4")


def test_a_relative_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_files(tmp_path, ["sub/a.mp4"])
    monkeypatch.chdir(tmp_path)
    write(tmp_path, f"video,caption\nsub/a,x\n{os.fspath(tmp_path)}/sub/a.mp4,y\n")
    data = CaptionedFolder(Path())
    data.prepare_data()
    assert captions(data) == {"sub/a": ("x", "y")}
