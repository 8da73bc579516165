"""What the data modules make of the packaged lists, against a plain reading of the same files."""

import csv
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from data_modules.annotations.published_lists import LISTS
from data_modules.data_sets.hmdb51 import HMDB51
from data_modules.data_sets.kinetics import Kinetics
from data_modules.data_sets.something_something import SomethingSomethingV2
from data_modules.data_sets.ucf101 import UCF101
from data_modules.errors import InputError
from data_modules.protocols.trial import DatasetIndex, Subset, Trial

Catalogs = dict[str, DatasetIndex]


@pytest.fixture(scope="session")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> Catalogs:
    """Of every data set, with no videos on disk; ``hmdb51`` and ``ucf101`` with their three splits."""
    root = tmp_path_factory.mktemp("no_videos")
    kinetics, ssv2 = Kinetics(root).dataset_index, SomethingSomethingV2(root).dataset_index
    return {
        "hmdb51": HMDB51(root, splits=[1, 2, 3]).dataset_index,
        "ucf101": UCF101(root, splits=[1, 2, 3]).dataset_index,
        "kinetics": kinetics,
        "kinetics600": Kinetics(root, version=600).dataset_index,
        "ssv2": ssv2,
        "hmdb51 split 1": HMDB51(root).dataset_index,
        "ucf101 split 1": UCF101(root).dataset_index,
        "kinetics split 1": kinetics,
        "ssv2 split 1": ssv2,
    }


def lines(file: str) -> list[str]:
    data = (LISTS / file).read_bytes()
    return (gzip.decompress(data) if file.endswith(".gz") else data).decode().splitlines()


def plain_list(file: str) -> list[tuple[str, int]]:
    """Stem and number of every row."""
    pairs = (line.rsplit(" ", 1) for line in lines(file))
    return [(name.split("/")[-1].rsplit(".", 1)[0], int(number)) for name, number in pairs]


def plain_packed(file: str) -> dict[str, list[list[str]]]:
    """Subset -> trials -> ``<class>/<stem>``."""
    packed: dict[str, Any] = json.loads(gzip.decompress((LISTS / file).read_bytes()))
    return {
        subset: [[packed["videos"][index] for index in trials[str(number)]] for number in range(len(trials))]
        for subset, trials in packed["parts"].items()
    }


def stems(subset: Subset) -> list[str]:
    return [record.video_id.split("/")[-1] for record in subset.records]


def labelled(subset: Subset, dataset_index: DatasetIndex) -> list[str]:
    """``<class>/<stem>`` of every video, by the names that it is scored against."""
    label = dict(zip(dataset_index.class_names, dataset_index.labels, strict=True))
    return [
        f"{label[subset.class_names[record.target]]}/{stem}"
        for record, stem in zip(subset.records, stems(subset), strict=True)
    ]


def trials(dataset_index: DatasetIndex, name: str) -> Sequence[Trial]:
    return dataset_index.published[name]()


def test_every_packaged_file_is_what_the_provenance_says() -> None:
    with (LISTS / "provenance.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    there = {path.relative_to(LISTS).as_posix() for path in LISTS.rglob("*") if path.is_file()}
    assert {row["file"] for row in rows} == there - {"README.md", "provenance.csv"}
    assert {row["licence"] for row in rows} == {"MIT", "Apache-2.0", "BSD-2-Clause", "none stated"}
    assert [row["file"] for row in rows if row["licence"] == "none stated"] == ["activitynet/ground_truth.json.gz"]
    for row in rows:
        data = (LISTS / row["file"]).read_bytes()
        raw = gzip.decompress(data) if row["file"].endswith(".gz") else data
        assert hashlib.sha256(raw).hexdigest() == row["sha256"], row["file"]
    assert sum((LISTS / file).stat().st_size for file in there) < 5e6


@pytest.mark.parametrize("number", [1, 2, 3])
def test_official_splits_of_hmdb51(catalogs: Catalogs, number: int) -> None:
    trial = trials(catalogs["hmdb51"], "closed_set")[number - 1]
    rows = [row.split(",") for row in lines("hmdb51/official_splits.csv.gz")[1:]]
    for subset, flag, size in ((trial.train, "1", 3570), (trial.tests["test"], "2", 1530)):
        expected = [f"{label}/{video[:-4]}" for split, label, video, f in rows if (split, f) == (str(number), flag)]
        assert [record.video_id for record in subset.records] == labelled(subset, catalogs["hmdb51"]) == expected
        assert len(expected) == size
        assert set(Counter(record.target for record in subset.records).values()) == {size // 51}


@pytest.mark.parametrize(("number", "sizes"), [(1, (9537, 3783)), (2, (9586, 3734)), (3, (9624, 3696))])
def test_official_splits_of_ucf101(catalogs: Catalogs, number: int, sizes: tuple[int, int]) -> None:
    trial = trials(catalogs["ucf101"], "closed_set")[number - 1]
    for subset, name, size in zip((trial.train, trial.tests["test"]), ("train", "test"), sizes, strict=True):
        expected = [line.split()[0][:-4] for line in lines(f"ucf101/{name}list0{number}.txt.gz")]
        assert [record.video_id for record in subset.records] == labelled(subset, catalogs["ucf101"]) == expected
        assert len(expected) == size
    numbers = [int(line.split()[1]) for line in lines(f"ucf101/trainlist0{number}.txt.gz")]
    assert [record.target + 1 for record in trial.train.records] == numbers


@pytest.mark.parametrize(("name", "file", "size"), [("kinetics", "400", 19906), ("kinetics600", "600", 30000)])
def test_the_validation_videos_of_kinetics_are_tested(catalogs: Catalogs, name: str, file: str, size: int) -> None:
    test = catalogs[name].subset("test")
    rows = list(csv.reader(lines(f"kinetics/kinetics-{file}_val.csv.gz")))[1:]
    assert stems(test) == [f"{row[1]}_{int(row[2]):06d}_{int(row[3]):06d}" for row in rows]
    assert [test.class_names[record.target] for record in test.records] == [row[0] for row in rows]
    assert len(rows) == size
    assert catalogs[name].subset("val").records == ()


def test_the_validation_videos_of_ssv2_are_tested(catalogs: Catalogs) -> None:
    test = catalogs["ssv2"].subset("test")
    assert [(r.video_id, r.target) for r in test.records] == plain_list("ssv2/validation.txt.gz")
    assert len(test.records) == 24777
    assert test.class_names[0] == "Approaching something with your camera"


@pytest.mark.parametrize(
    ("name", "pool", "tested"), [("hmdb51", 10, (475, 475)), ("ucf101", 21, (545, 709)), ("kinetics", 24, (475, 475))]
)
def test_5_ways_5_shots(catalogs: Catalogs, name: str, pool: int, tested: tuple[int, int]) -> None:
    dataset_index, plain = catalogs[name], plain_packed(f"{name}/5way_5shot.json.gz")
    made = trials(dataset_index, "5way_5shot")
    assert [trial.name for trial in made] == [f"trial {number}" for number in range(200)]
    for number, trial in enumerate(made):
        test = trial.tests["test"]
        for subset, listed in ((trial.train, plain["train"][number]), (test, plain["test"][number])):
            assert labelled(subset, dataset_index) == [video.replace("kick ball", "kick_ball") for video in listed]
            assert subset.class_names == trial.train.class_names
        in_order = list(dict.fromkeys(record.target for record in trial.train.records))
        assert in_order == [0, 1, 2, 3, 4]
        assert len(trial.train.records) == 25
        assert tested[0] <= len(test.records) <= tested[1]
    assert len({class_name for trial in made for class_name in trial.train.class_names}) == pool


@pytest.mark.parametrize(
    ("name", "classes", "tested"), [("hmdb51", 51, 1530), ("ucf101", 101, 3783), ("kinetics", 400, 19906)]
)
def test_5_shots_of_all_classes(catalogs: Catalogs, name: str, classes: int, tested: int) -> None:
    dataset_index = catalogs[f"{name} split 1"]
    made = trials(dataset_index, "5shot")
    assert [labelled(trial.train, dataset_index) for trial in made] == plain_packed(f"{name}/5shot.json.gz")["train"]
    assert len(made) == 10
    for trial in made:
        assert list(Counter(record.target for record in trial.train.records).values()) == [5] * classes
        assert trial.tests is made[0].tests
    assert made[0].tests["test"].records == dataset_index.subset("test").records
    assert len(made[0].tests["test"].records) == tested


@pytest.mark.parametrize(("name", "classes"), [("hmdb51", 51), ("ucf101", 101), ("ssv2", 174)])
@pytest.mark.parametrize("shots", [2, 4, 8, 16])
def test_other_shots_of_all_classes(catalogs: Catalogs, name: str, classes: int, shots: int) -> None:
    dataset_index = catalogs[f"{name} split 1"]
    (trial,) = trials(dataset_index, f"{shots}shot")
    expected = plain_list(f"{name}/{shots}shot.txt.gz")
    assert list(zip(stems(trial.train), (r.target for r in trial.train.records), strict=True)) == expected
    assert len(expected) == shots * classes
    assert trial.tests["test"].records == dataset_index.subset("test").records
    assert not {r.video_id for r in trial.train.records} & {r.video_id for r in trial.tests["test"].records}


@pytest.mark.parametrize("name", ["hmdb51", "ucf101"])
def test_few_shot_lists_would_test_what_they_train_on_in_other_splits(catalogs: Catalogs, name: str) -> None:
    shot = {r.video_id for r in trials(catalogs[f"{name} split 1"], "16shot")[0].train.records}
    for number in (2, 3):
        test = trials(catalogs[name], "zero_shot")[0].tests[f"split{number}"]
        assert shot & {record.video_id for record in test.records}
    for protocol in ("5shot", "16shot"):
        with pytest.raises(InputError, match=r"drawn from the training videos of official split 1"):
            trials(catalogs[name], protocol)


@pytest.mark.parametrize(
    ("name", "names", "sizes"),
    [
        ("hmdb51", ["s1", "s2", "s3"], (416, 780, 750)),
        ("ucf101", ["s1"], (816, 2088, 1695)),
        ("kinetics", ["s2", "s3"], (3200, 9944, 9933)),
        pytest.param("ssv2", ["s1", "s2", "s3"], (1392, 17562, 7215), marks=pytest.mark.slow),
    ],
)
def test_base_to_novel(catalogs: Catalogs, name: str, names: list[str], sizes: tuple[int, int, int]) -> None:
    dataset_index = catalogs[name]
    made = trials(dataset_index, "base_to_novel")
    assert [trial.name for trial in made] == names
    known = {
        record.video_id: dataset_index.class_names[record.target] for record in dataset_index.subset("test").records
    }
    for trial in made:
        base, novel = trial.tests["base"], trial.tests["novel"]
        files = (f"base_to_novel_{trial.name}", "base_to_novel_base", "base_to_novel_novel")
        for subset, file, size in zip((trial.train, base, novel), files, sizes, strict=True):
            expected = plain_list(f"{name}/{file}.txt.gz")
            assert list(zip(stems(subset), (r.target for r in subset.records), strict=True)) == expected
            assert len(expected) == size
        assert trial.train.class_names == base.class_names
        assert {*base.class_names, *novel.class_names} == set(dataset_index.class_names)
        assert len(base.class_names) + len(novel.class_names) == len(dataset_index.class_names)
        assert dict(trial.harmonic_means) == {"hm": ("base", "novel")}
        for subset in (base, novel):
            assert all(known[record.video_id] == subset.class_names[record.target] for record in subset.records)


def test_the_test_splits_of_hmdb51_and_ucf101_are_tested_without_training(catalogs: Catalogs) -> None:
    for name, sizes in (("hmdb51", [1530] * 3), ("ucf101", [3783, 3734, 3696])):
        (trial,) = trials(catalogs[f"{name} split 1"], "zero_shot")
        assert trial.train.records == ()
        assert {test: len(subset.records) for test, subset in trial.tests.items()} == {
            f"split{number}": size for number, size in enumerate(sizes, start=1)
        }
        official = trials(catalogs[name], "closed_set")
        assert list(trial.tests.values()) == [one.tests["test"] for one in official]


def test_three_sets_of_new_classes_of_kinetics_600_are_tested(catalogs: Catalogs) -> None:
    (trial,) = trials(catalogs["kinetics600"], "zero_shot")
    assert trial.train.records == ()
    for number, size in ((1, 14084), (2, 13978), (3, 14136)):
        subset = trial.tests[f"split{number}"]
        expected = plain_list(f"kinetics/zero_shot_split{number}.txt.gz")
        assert list(zip(stems(subset), (r.target for r in subset.records), strict=True)) == expected
        names = [line.split(",", 1)[1] for line in lines(f"kinetics/zero_shot_split{number}_labels.csv")[1:]]
        assert list(subset.class_names) == names
        assert (len(expected), len(names)) == (size, 160)
        assert not set(names) & set(catalogs["kinetics"].class_names)


def test_a_video_has_one_id_in_every_protocol(catalogs: Catalogs) -> None:
    for name in ("hmdb51", "ucf101"):
        official = trials(catalogs[name], "closed_set")
        known = {r.video_id for trial in official for subset in trial.subsets.values() for r in subset.records}
        for protocol in ("5way_5shot", "base_to_novel"):
            for trial in trials(catalogs[name], protocol):
                assert all(r.video_id in known for subset in trial.subsets.values() for r in subset.records)
    assert len(known) == 13320


def test_a_list_that_counts_the_classes_in_another_order_is_refused(catalogs: Catalogs) -> None:
    read = catalogs["hmdb51"].read_list
    assert read is not None
    assert len(read(str(LISTS / "hmdb51" / "16shot.txt.gz")).records) == 816
    with pytest.raises(InputError, match=r"base_to_novel_base.*, line 1: .* 'pour', .* means 'brush_hair'. .* order"):
        read(str(LISTS / "hmdb51" / "base_to_novel_base.txt.gz"))


def test_a_list_that_names_a_video_that_is_not_there(catalogs: Catalogs, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("../../nobody/has_this.avi brush hair\n")
    read = catalogs["hmdb51"].read_list
    assert read is not None
    (record,) = read(str(tmp_path / "list.txt")).records
    assert record.video_id == "brush_hair/has_this"
    assert record.path.name == "has_this.avi"
    assert not record.path.exists()
    assert ".." not in record.path.parts
