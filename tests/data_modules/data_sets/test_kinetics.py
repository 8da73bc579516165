import tracemalloc
from itertools import product
from pathlib import Path
from typing import Literal

import pytest

from data_modules.data_sets.kinetics import Kinetics
from data_modules.errors import InputError
from data_modules.synthetic import annotation_fixtures

HEADER = "label,youtube_id,time_start,time_end,split\n"
ROWS = "air drumming,abcdefghijk,10,20,train\nabseiling,-bcdefghijk,0.0,10.0,train\n"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "place",
    [
        "train.csv",
        "annotations/train.csv",
        "kinetics-400_train.csv",
        "annotations/kinetics_400_train.csv",
        "kinetics400/train.csv",
        "annotations/k400/train.csv",
    ],
)
def test_the_training_list_is_found_where_downloads_have_it(tmp_path: Path, place: str) -> None:
    write(tmp_path / place, HEADER + ROWS)
    records = Kinetics(tmp_path).dataset_index.records["train"]
    assert [record.video_id for record in records] == ["abcdefghijk_000010_000020", "-bcdefghijk_000000_000010"]
    assert records[0].path == tmp_path / "train/air drumming/abcdefghijk_000010_000020.mp4"
    elsewhere = tmp_path.parent / f"{tmp_path.name}_videos"
    elsewhere.mkdir()
    moved = Kinetics(elsewhere, annotations=tmp_path).dataset_index.records["train"]
    assert [record.target for record in moved] == [1, 0]


def test_the_2020_edition_and_a_file_of_all_splits(tmp_path: Path) -> None:
    text = HEADER + ROWS + "yoga,zbcdefghijk,1,11,val\nzumba,ybcdefghijk,1,11,test\n"
    for name in ("train", "validate"):
        write(tmp_path / "annotations" / "kinetics700_2020" / f"{name}.csv", text)
    dataset_index = Kinetics(tmp_path, version=700).dataset_index
    assert [dataset_index.class_names[record.target] for record in dataset_index.records["train"]] == [
        "air drumming",
        "abseiling",
    ]
    assert [record.path for record in dataset_index.records["test"]] == [
        tmp_path / "val" / "yoga" / "zbcdefghijk_000001_000011.mp4"
    ]


@pytest.mark.parametrize(
    "place",
    [
        "abcdefghijk_000010_000020.mp4",
        "train/abcdefghijk_000010_000020.mkv",
        "train/air_drumming/abcdefghijk_10_20.webm",
        "anything/abcdefghijk.mp4",
    ],
)
def test_videos_are_found_in_any_layout(tmp_path: Path, place: str) -> None:
    write(tmp_path / place)
    write(tmp_path / "train.csv", HEADER + ROWS)
    first = Kinetics(tmp_path).dataset_index.records["train"][0]
    assert (first.video_id, first.path) == ("abcdefghijk_000010_000020", tmp_path / place)


def test_class_folders_do_for_a_missing_list(tmp_path: Path) -> None:
    write(tmp_path / "train/air_drumming/abcdefghijk_000010_000020.mp4")
    write(tmp_path / "train/yoga/bbcdefghijk_10_20.mp4")
    write(tmp_path / "train/yoga/cbcdefghijk.mp4")
    write(tmp_path / "validate/zumba/dbcdefghijk_000010_000020.mp4")
    dataset_index = Kinetics(tmp_path, version=700).dataset_index
    train, test = dataset_index.subset("train"), dataset_index.subset("test")
    assert [(r.video_id, dataset_index.class_names[r.target]) for r in train.records] == [
        ("abcdefghijk_000010_000020", "air drumming"),
        ("bbcdefghijk_000010_000020", "yoga"),
        ("cbcdefghijk", "yoga"),
    ]
    assert all(record.path.exists() for record in (*train.records, *test.records))
    write(tmp_path / "train/flying/ebcdefghijk.mp4")
    with pytest.raises(InputError, match=r"ebcdefghijk.mp4: 'flying' is no class"):
        Kinetics(tmp_path, version=700).dataset_index.records["train"]


def test_a_missing_list_matters_only_when_it_is_needed(tmp_path: Path) -> None:
    dataset_index = Kinetics(tmp_path, version=700).dataset_index
    assert dataset_index.records["val"] == ()
    with pytest.raises(InputError, match=r"train videos of Kinetics-700 .* download train.csv .*annotations/train.csv"):
        dataset_index.published["open_set"]()
    with pytest.raises(InputError, match=r"val videos of Kinetics-700"):
        dataset_index.subset("test")
    assert len(Kinetics(tmp_path).dataset_index.published["5way_5shot"]()) == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,youtube_id,time_start,split\n", "line 1: there is no column 'time_end'"),
        ("", "line 1: there is no column 'label'"),
        (HEADER, "names no video of split 'train'"),
        (HEADER + "yoga,abcdefghijk,10\n", "line 2: 3 columns where the header has 5"),
        (HEADER + "yoga,abcdefghijk,ten,20,train\n", "line 2: the times 'ten' and '20' are no numbers"),
        (HEADER + "flying,abcdefghijk,10,20,train\n", "line 2: 'flying' is no class .* another version"),
        (HEADER + ROWS + "yoga,abcdefghijk,10,20,train\n", "line 4: .*abcdefghijk.* stands already in .*line 2"),
    ],
)
def test_bad_lists(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "train.csv", text)
    with pytest.raises(InputError, match=message):
        Kinetics(tmp_path).dataset_index.records["train"]


@pytest.mark.parametrize(("version", "tested"), [(400, 19906), (600, 30000), (700, 1400)])
def test_synthetic_annotations(tmp_path: Path, version: Literal[400, 600, 700], tested: int) -> None:
    annotation_fixtures.write_annotations(Kinetics(tmp_path, version=version), videos_per_class=2)
    dataset_index = Kinetics(tmp_path, version=version).dataset_index
    train, test = dataset_index.subset("train"), dataset_index.subset("test")
    assert (len(train.records), len(test.records)) == (2 * version, tested)
    assert {record.target for record in train.records} == set(range(version))
    assert not {r.video_id for r in train.records} & {r.video_id for r in test.records}
    if version == 700:
        (trial,) = dataset_index.published["open_set"]()
        assert {name: len(subset.class_names) for name, subset in trial.subsets.items()} == {"train": 400, "test": 300}
        assert {name: len(subset.records) for name, subset in trial.subsets.items()} == {"train": 800, "test": 600}
        assert not set(trial.train.class_names) & set(trial.tests["test"].class_names)
        annotation_fixtures.write_annotations(Kinetics(tmp_path, version=version), videos_per_class=5)
        assert len(Kinetics(tmp_path, version=version).dataset_index.records["train"]) == 1400


@pytest.mark.slow
def test_a_tenth_of_650_000_videos_takes_a_tenth_of_2_gib(tmp_path: Path) -> None:
    """All of them took 13 s of one core and 0.7 GiB beside torch, see docs/scale.md."""
    count, labels = 65_000, Kinetics(tmp_path, version=700).official.labels
    lists = {"train": [HEADER], "val": [HEADER]}
    for split, label in product(lists, labels):
        (tmp_path / split / label).mkdir(parents=True)
    for number in range(count):
        split, label, name = "train" if number % 13 else "val", labels[number % len(labels)], f"t{number:010d}"
        lists[split].append(f"{label},{name},10,20,{split}\n")
        (tmp_path / split / label / f"{name}_000010_000020.mp4").touch()
    for split, rows in lists.items():
        write(tmp_path / f"{split}.csv", "".join(rows))

    def set_up() -> int:
        data = Kinetics(tmp_path, version=700, features="off", num_workers=0)
        data.prepare_data()
        data.setup("fit")
        return sum(len(data.dataset_index.records[split]) for split in ("train", "test"))

    tracemalloc.start()
    assert set_up() == count
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**31 / 10
