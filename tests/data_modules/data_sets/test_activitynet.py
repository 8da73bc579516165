"""What the data module makes of the packaged ground truth, against a plain reading of the same file."""

import gzip
import json
from pathlib import Path
from typing import Any, cast

import pytest

from data_modules.annotations.published_lists import LISTS
from data_modules.annotations.untrimmed_lists import oddities
from data_modules.batch import UntrimmedRecord
from data_modules.data_sets.activitynet import ActivityNet13
from data_modules.errors import InputError
from data_modules.protocols.trial import DatasetIndex, Split, Subset

FOLDER = LISTS / "activitynet"
SUBSETS: dict[Split, str] = {"train": "training", "test": "validation"}


@pytest.fixture(scope="module")
def dataset_index(tmp_path_factory: pytest.TempPathFactory) -> DatasetIndex:
    return ActivityNet13(tmp_path_factory.mktemp("no_videos")).dataset_index


def packed(name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(gzip.decompress((FOLDER / name).read_bytes())))


def untrimmed(subset: Subset) -> list[UntrimmedRecord]:
    assert all(isinstance(record, UntrimmedRecord) for record in subset.records)
    return cast("list[UntrimmedRecord]", list(subset.records))


@pytest.mark.parametrize(("split", "videos", "segments"), [("train", 10024, 15410), ("test", 4926, 7654)])
def test_every_segment_is_there_as_annotated(
    dataset_index: DatasetIndex, split: Split, videos: int, segments: int
) -> None:
    database = packed("ground_truth.json.gz")["database"]
    records = untrimmed(dataset_index.subset(split))
    expected = {video_id: video for video_id, video in database.items() if video["subset"] == SUBSETS[split]}
    assert [record.video_id for record in records] == list(expected)
    for record in records:
        video = expected[record.video_id]
        assert record.duration_sec == video["duration"]
        assert [
            {"segment": [s.start_sec, s.end_sec], "label": dataset_index.labels[s.target]} for s in record.segments
        ] == video["annotations"]
    assert (len(records), sum(len(record.segments) for record in records)) == (videos, segments)
    assert not any(record.ambiguous_sec or record.hidden_sec for record in records)


def test_what_is_odd_is_kept_and_counted(dataset_index: DatasetIndex) -> None:
    counted = oddities(record for split in SUBSETS for record in untrimmed(dataset_index.subset(split)))
    assert (len(counted.reversed), len(counted.beyond_end), len(counted.ambiguous)) == (12, 226, 0)
    assert "H-yBxySDyTw: 0 to 0 s" in counted.reversed


def test_class_names_in_both_spellings(tmp_path: Path, dataset_index: DatasetIndex) -> None:
    labels = (FOLDER / "label_map.txt").read_text().splitlines()
    assert list(dataset_index.labels) == labels
    assert len(set(labels)) == len(set(dataset_index.class_names)) == 200
    database = packed("ground_truth.json.gz")["database"]
    assert {one["label"] for video in database.values() for one in video["annotations"]} == set(labels)
    assert list(ActivityNet13(tmp_path, spelling="official").dataset_index.class_names) == labels
    mended = {
        label: name for label, name in zip(labels, dataset_index.class_names, strict=True) if name != label.lower()
    }
    assert mended == {
        "Mooping floor": "mopping floor",
        "Plataform diving": "platform diving",
        "Playing flauta": "playing flute",
        "Playing guitarra": "playing guitar",
        "Polishing forniture": "polishing furniture",
    }


def test_videos_are_called_with_or_without_v(tmp_path: Path) -> None:
    for name in ("a/v_QOlSCBRmfWY.mkv", "ehGHCYKzyZ8.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    data = ActivityNet13(tmp_path)
    paths = [record.path for record in data.dataset_index.records["train"][:3]]
    assert paths == [tmp_path / "a/v_QOlSCBRmfWY.mkv", tmp_path / "ehGHCYKzyZ8.mp4", tmp_path / "v_nwznKOuZM7w.mp4"]
    assert {split: len(data.dataset_index.records[split]) for split in SUBSETS} == data.published_sizes()


def official(path: Path, **subsets: str) -> Path:
    """A file with the official one's layout: video id -> subset."""
    database = {
        video_id: {
            "duration": 82.73,
            "subset": subset,
            "resolution": "320x240",
            "url": f"https://www.youtube.com/watch?v={video_id}",
            "annotations": [] if subset == "testing" else [{"segment": [6.2, 77.7], "label": "Ballet"}],
        }
        for video_id, subset in subsets.items()
    }
    taxonomy = [{"parentName": "Dancing", "nodeName": "Ballet", "nodeId": 5, "parentId": 1}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"database": database, "taxonomy": taxonomy, "version": "VERSION 1.3"}))
    return path


def test_the_official_file_comes_before_the_packaged_one(tmp_path: Path) -> None:
    name = "activity_net.v1-3.min.json"
    own = official(tmp_path / "annotations" / name, a="training", b="validation", c="testing")
    for data in (
        ActivityNet13(tmp_path),
        ActivityNet13(tmp_path, annotations=own),
        ActivityNet13(tmp_path, annotations=own.parent),
    ):
        assert data.ground_truth == own
        assert {split: [r.video_id for r in data.dataset_index.records[split]] for split in SUBSETS} == {
            "train": ["a"],
            "test": ["b"],
        }
        assert len(data.dataset_index.class_names) == 200
    (record,) = untrimmed(data.dataset_index.subset("train"))
    assert data.dataset_index.labels[record.segments[0].target] == "Ballet"


def test_mistakes_in_the_annotations(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*none\.json"):
        ActivityNet13(tmp_path, annotations=tmp_path / "none.json").scan()
    with pytest.raises(InputError, match=r"gt\.json has no video of subset 'validation'"):
        ActivityNet13(tmp_path, annotations=official(tmp_path / "gt.json", a="training")).scan()
    text = official(tmp_path / "gt.json", a="training", b="validation").read_text()
    (tmp_path / "gt.json").write_text(text.replace("Ballet", "Balet"))
    with pytest.raises(InputError, match=r"gt\.json, video 'a': 'Balet' is no class of this data set"):
        ActivityNet13(tmp_path, annotations=tmp_path / "gt.json").scan()
    with pytest.raises(InputError, match="there is no folder"):
        ActivityNet13(tmp_path / "none").scan()
