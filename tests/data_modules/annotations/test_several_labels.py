"""Videos of several labels, as CSV, JSON and the field's lists write them."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from data_modules import HMDB51, VideoFolder
from data_modules.annotations.list_files import known_records, read_list
from data_modules.batch import MultiLabelRecord, Record
from data_modules.errors import InputError
from data_modules.protocols import ByList, FewShot, RandomHalves

Shown = dict[str, tuple[str, ...]]
EXPECTED: Shown = {"v/1.mp4": ("run", "wave"), "v/2.mp4": ("jump",), "v/3.mp4": ("wave", "run", "jump")}


def folder(root: Path, text: str, name: str = "labels.csv", **options: object) -> VideoFolder:
    (root / "v").mkdir(exist_ok=True)
    for number in range(1, 5):
        (root / "v" / f"{number}.mp4").touch()
    (root / name).write_text(text)
    return VideoFolder(root, labels=Path(name), val_fraction=0.0, test_fraction=0.0, **options)  # type: ignore[arg-type]


def shown(names: Sequence[str], records: Sequence[Record]) -> Shown:
    return {record.video_id: tuple(names[target] for target in record.targets) for record in records}


def shown_by(data: VideoFolder) -> Shown:
    return shown(data.class_names, data.dataset_index.subset("train").records)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.csv", "path,label\nv/1.mp4,run|wave\nv/2.mp4,jump\nv/3.mp4,wave | run|jump\n"),
        ("labels.csv", "path,label\nv/1,run\nv/2,jump\nv/1.mp4,wave\nv/3,wave|run\nv/3,jump\n"),
        ("labels.json", json.dumps({"v/1": ["run", "wave"], "v/2": "jump", "v/3": ["wave", "run", "jump"]})),
        ("labels.json", json.dumps([{"path": name, "label": list(labels)} for name, labels in EXPECTED.items()])),
        (
            "l.jsonl",
            "".join(json.dumps({"path": n, "label": own, "split": "train"}) + "\n" for n, own in EXPECTED.items()),
        ),
    ],
)
def test_a_video_of_several_labels_in_every_kind_of_file(tmp_path: Path, name: str, text: str) -> None:
    data = folder(tmp_path, text, name)
    assert data.class_names == ["jump", "run", "wave"]
    assert shown_by(data) == EXPECTED
    kinds = {record.video_id: type(record) for record in data.dataset_index.subset("train").records}
    assert kinds == {"v/1.mp4": MultiLabelRecord, "v/2.mp4": Record, "v/3.mp4": MultiLabelRecord}


def test_a_video_that_shows_none_of_the_classes_stays_whatever_classes_count(tmp_path: Path) -> None:
    data = folder(tmp_path, json.dumps({"v/1": ["run", "wave"], "v/2": "jump", "v/3": [], "v/4": "run"}), "labels.json")
    assert shown_by(data)["v/3.mp4"] == ()
    subset = data.dataset_index.subset("train")
    assert shown(["wave"], subset.only(["wave"]).records) == {"v/1.mp4": ("wave",), "v/3.mp4": ()}
    more = ["clap", *data.class_names]
    assert shown(more, subset.among(more).records) == shown_by(data)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("labels.csv", "path,label\nv/1.mp4,run||jump\n", r'line 2: one of the labels is empty: \["run", "", "jump"\]'),
        ("labels.csv", "path,label\nv/1.mp4,run|run\n", "line 2: the label 'run' stands there twice; remove one"),
        ("labels.csv", "path,label\nv/1.mp4,run\nv/1.mp4,jump|run\n", "line 3: v/1.mp4 stands already on line 2"),
        (
            "labels.csv",
            "path,label\nv/1.mp4,\n",
            r"line 2: the label is empty: .*none of the classes has \[\] in a JSON",
        ),
        (
            "labels.csv",
            "path,label,split\nv/1.mp4,run,train\nv/1.mp4,jump,test\n",
            "line 3: v/1.mp4 stands in the split 'test' here, and on line 2 in 'train'; a video has one",
        ),
        (
            "l.json",
            '{"v/1": ["run|jump"]}',
            "video 'v/1': the label \"run|jump\" has a | in it; write several labels as",
        ),
        ("l.json", '{"v/1": [3]}', "video 'v/1': the label must be a text, not 3"),
        ("l.json", '{"v/1": ["run", "run"]}', "video 'v/1': the label 'run' stands there twice"),
        ("l.json", '[{"path": "v/1"}]', 'entry 0: an object with "path", "label" and, where it is known, "split" is'),
        ("l.json", '[{"path": "", "label": "a"}]', 'entry 0: the path is empty; its label is "a"'),
        (
            "l.json",
            '[{"path": "v/1", "label": "a"}, {"path": "v/1", "label": []}]',
            "entry 1: v/1 stands already on entry 0",
        ),
        ("l.json", "3", "a list of objects, or one object {video: label or labels}, is expected, not 3"),
        ("l.json", '{"v/1": []}', "l.json gives no video a label"),
    ],
)
def test_bad_labels_are_named_with_their_place(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        folder(tmp_path, text, name).scan()
    assert re.search(message.replace("|", r"\|").replace("{", r"\{"), str(error.value)), str(error.value)


def test_a_division_by_chance_holds_out_some_of_every_class(tmp_path: Path) -> None:
    rows = [f"v/{number}.mp4,{'often' if number % 4 else 'often|seldom'}" for number in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    records = VideoFolder(tmp_path, labels=Path("labels.csv")).dataset_index.records
    counts = {split: Counter(target for r in records[split] for target in r.targets) for split in records}
    assert counts == {"train": {0: 28, 1: 7}, "val": {0: 4, 1: 1}, "test": {0: 8, 1: 2}}


NAMES, LABELS = ["brush hair", "pull up", "sword"], ["brush_hair", "pullup", "sword"]


def listed(root: Path, text: str, name: str = "list.txt") -> Shown:
    (root / name).write_text(text)
    known = [Record(f"{stem}.avi", Path(f"{stem}.avi"), -1) for stem in ("v", "my video", "w")]
    return shown(NAMES, read_list(root / name, NAMES, LABELS, known_records(known)).records)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.txt", "v.avi 0|2\nmy video.avi pull up\n"),
        ("list.txt", "v brush hair|sword\nmy video pull up\n"),
        ("list.txt", "v.avi brush hair | sword\nmy video.avi pullup\n"),
        ("list.txt", "v 0\nmy video 1\nv 2\n"),
        ("list.csv", '"v.avi","brush_hair|2"\n"my video","1"\n'),
        ("list.csv", "video,label\nv.avi,0\nv.avi,sword\nmy video.avi,1\n"),
    ],
)
def test_lists_of_several_labels(tmp_path: Path, name: str, text: str) -> None:
    assert listed(tmp_path, text, name) == {"v.avi": ("brush hair", "sword"), "my video.avi": ("pull up",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("v.avi 0|3\n", "list.txt, line 1: '3' is no class of this data set; known are the 3 classes"),
        ("w.avi 0\nv.avi run|0\n", "list.txt, line 2: 'run' is no class of this data set"),
        ("v.avi 0|brush hair\n", r"list.txt, line 1: '0\|brush hair' names the class 'brush hair' twice"),
        ("v.avi 0|\n", 'list.txt, line 1: one of the labels is empty: \\["0", ""\\]'),
        ("v.avi 0|1\nv 1\n", "list.txt, line 2: v stands already on line 1; remove one of the two"),
    ],
)
def test_bad_lists_of_several_labels_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        listed(tmp_path, text)


def test_lists_give_videos_of_any_data_set_several_labels(tmp_path: Path) -> None:
    drink, laugh = "GoneBabyGone_drink_h_cm_np1_fr_goo_1.avi", "American_History_X_laugh_h_nm_np1_fr_goo_44.avi"
    for path in (tmp_path / "drink" / drink, tmp_path / "laugh" / laugh):
        path.parent.mkdir()
        path.touch()
    train, test = tmp_path / "train.txt", tmp_path / "test.csv"
    train.write_text(f"{drink} drink|smile\n{laugh} smile\n{laugh} laugh\n")
    test.write_text(f'"{drink}","smile|drink"\n')
    data = HMDB51(tmp_path, protocol=ByList(str(train), str(test)))
    (trial,) = data.trials
    assert list(shown(trial.train.class_names, trial.train.records).values()) == [
        ("drink", "smile"),
        ("smile", "laugh"),
    ]
    assert trial.train.records[0].path == tmp_path / "drink" / drink
    assert "3 of 51 classes are seen" in data.protocol.describe(data.dataset_index, data.trials)
    train.write_text(f"{drink} smile|laugh\n")
    with pytest.raises(InputError, match=rf"train.txt, line 1: {drink} is a video of class 'drink', and its label"):
        _ = HMDB51(tmp_path, protocol=data.protocol).trials


def test_random_halves_keep_the_labels_of_their_classes_and_few_shot_refuses(tmp_path: Path) -> None:
    text = "path,label,split\nv/1,a|b,train\nv/2,c|d,train\nv/3,a|c,test\nv/4,b|d,test\n"
    make: Callable[..., VideoFolder] = lambda protocol: folder(tmp_path, text, protocol=protocol)  # noqa: E731
    for trial in make(RandomHalves(num_trials=3)).trials:
        for subset in trial.subsets.values():
            assert all(record.targets for record in subset.records)
            for video, own in shown(subset.class_names, subset.records).items():
                labels = {"v/1.mp4": "ab", "v/2.mp4": "cd", "v/3.mp4": "ac", "v/4.mp4": "bd"}[video]
                assert own == tuple(label for label in labels if label in subset.class_names)
    with pytest.raises(InputError, match=r"FewShot draws 1 videos of each class, and v/1.mp4 shows 2 classes"):
        _ = make(FewShot(shots=1, source="drawn")).trials
