"""What the data module makes of the packaged annotations, against a plain reading of the same files."""

import csv
import gzip
import logging
from collections import Counter
from pathlib import Path
from typing import cast

import pytest

from data_modules.annotations.published_lists import LISTS
from data_modules.batch import UntrimmedRecord
from data_modules.data_sets.thumos14 import Thumos14
from data_modules.errors import InputError
from data_modules.protocols import ClosedSet, FewShot, OpenSet
from data_modules.protocols.trial import DatasetIndex, Split, Subset

FOLDER = LISTS / "thumos14"
SUBSETS: dict[Split, str] = {"train": "validation", "test": "test"}


@pytest.fixture(scope="module")
def dataset_index(tmp_path_factory: pytest.TempPathFactory) -> DatasetIndex:
    return Thumos14(tmp_path_factory.mktemp("no_videos")).dataset_index


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(gzip.decompress((FOLDER / name).read_bytes()).decode().splitlines()))


def untrimmed(subset: Subset) -> list[UntrimmedRecord]:
    assert all(isinstance(record, UntrimmedRecord) for record in subset.records)
    return cast("list[UntrimmedRecord]", list(subset.records))


@pytest.mark.parametrize(("split", "videos", "segments"), [("train", 200, 3007), ("test", 212, 3358)])
def test_every_segment_is_there_as_annotated(
    dataset_index: DatasetIndex, split: Split, videos: int, segments: int
) -> None:
    records = untrimmed(dataset_index.subset(split))
    expected = rows(f"{SUBSETS[split]}_segments.csv.gz")
    clear = [(r["video"], float(r["start"]), float(r["end"]), r["type"]) for r in expected if r["type"] != "Ambiguous"]
    assert [
        (record.video_id, segment.start_sec, segment.end_sec, dataset_index.labels[segment.target])
        for record in records
        for segment in record.segments
    ] == clear
    unclear = {(r["video"], float(r["start"]), float(r["end"])) for r in expected if r["type"] == "Ambiguous"}
    there = {record.video_id for record in records}
    assert {(record.video_id, *span) for record in records for span in record.ambiguous_sec} == {
        one for one in unclear if one[0] in there
    }
    assert (len(records), len(clear)) == (videos, segments)
    assert all(record.target == -1 and not record.hidden_sec for record in records)
    lengths = {r["video"]: float(r["count"]) / float(r["fps"]) for r in rows(f"{SUBSETS[split]}_videos.csv.gz")}
    assert {record.video_id: record.duration_sec for record in records} == lengths


def test_the_test_video_of_ambiguous_stretches_alone_is_left_out(
    tmp_path: Path, dataset_index: DatasetIndex, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotated = {row["video"] for row in rows("test_segments.csv.gz")}
    assert annotated - {record.video_id for record in dataset_index.subset("test").records} == {"video_test_0001292"}
    # The command line keeps the lines of its own loggers to itself.
    monkeypatch.setattr("data_modules.data_sets.thumos14.log", logging.getLogger("a logger of this test"))
    with caplog.at_level("INFO"):
        Thumos14(tmp_path).scan()
    assert "left out, as all of it is ambiguous: video_test_0001292" in caplog.text
    assert "0 segments end at or before their start, 30 after their video; 185 stretches are ambiguous" in caplog.text


def test_class_names_in_both_spellings(tmp_path: Path, dataset_index: DatasetIndex) -> None:
    official = [line.split()[1] for line in (FOLDER / "class_index.txt").read_text().splitlines()]
    assert list(dataset_index.labels) == official
    assert list(Thumos14(tmp_path, spelling="official").dataset_index.class_names) == official
    pairs = dict(zip(dataset_index.labels, dataset_index.class_names, strict=True))
    assert len(pairs) == 20
    assert pairs["BaseballPitch"] == "baseball pitch"
    assert pairs["CleanAndJerk"] == "clean and jerk"
    assert pairs["Shotput"] == "shot put"
    assert pairs["Diving"] == "diving"
    assert all(name == name.lower() and name.replace(" ", "") == label.lower() for label, name in pairs.items())


def test_cliff_diving_is_diving_too(dataset_index: DatasetIndex) -> None:
    names = dataset_index.class_names
    both = 0
    for record in untrimmed(dataset_index.subset("train")):
        times = Counter((s.start_sec, s.end_sec) for s in record.segments if "diving" in names[s.target])
        both += sum(number == 2 for number in times.values())
    assert both > 100


def test_videos_lie_in_any_layout(tmp_path: Path) -> None:
    for name in ("validation/video_validation_0000051.mp4", "TH14_test_set_mp4/deep/video_test_0000004.avi"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    data = Thumos14(tmp_path)
    first = {split: data.dataset_index.records[split][0] for split in SUBSETS}
    assert first["train"].path == tmp_path / "validation/video_validation_0000051.mp4"
    assert first["test"].path == tmp_path / "TH14_test_set_mp4/deep/video_test_0000004.avi"
    assert (
        data.dataset_index.records["test"][1].path == tmp_path / "video_test_0000006.mp4"
    )  # missing: counted as such later
    assert {split: len(data.dataset_index.records[split]) for split in SUBSETS} == data.published_sizes()


def test_the_folder_may_be_missing_where_a_store_is_named(tmp_path: Path) -> None:
    assert len(Thumos14(tmp_path / "none", features="store").dataset_index.subset("test").records) == 212
    with pytest.raises(InputError, match="there is no folder"):
        Thumos14(tmp_path / "none").scan()


def test_protocols_of_long_videos(tmp_path: Path) -> None:
    (trial,) = Thumos14(tmp_path, protocol=ClosedSet()).trials
    assert {name: len(subset.records) for name, subset in trial.subsets.items()} == {"train": 200, "test": 212}
    with pytest.raises(InputError, match="splits of this data set are 50_50, 75_25; name one of them in split"):
        _ = Thumos14(tmp_path, protocol=OpenSet()).trials
    with pytest.raises(InputError, match="FewShot is for trimmed videos"):
        Thumos14(tmp_path, protocol=FewShot())
