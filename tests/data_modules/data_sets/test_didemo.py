"""What the data module makes of lists and descriptions, against a plain reading of them."""

import gzip
import json
import logging
from pathlib import Path
from typing import Any, cast

import pytest

from data_modules.annotations.published_lists import LISTS
from data_modules.batch import CaptionedRecord
from data_modules.data_sets.didemo import DiDeMo
from data_modules.errors import InputError
from data_modules.protocols.trial import SPLITS, Split

FOLDER = LISTS / "didemo"


def listed(split: Split) -> list[str]:
    return gzip.decompress((FOLDER / f"{split}_list.txt.gz").read_bytes()).decode().split()


def moments(split: Split) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", json.loads(gzip.decompress((FOLDER / f"{split}_data.json.gz").read_bytes())))


def write(folder: Path, rows: list[tuple[str, str]], split: Split = "train") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    items = [{"video": v, "description": d} for v, d in rows]
    (folder / f"{split}_data.json").write_text(json.dumps(items))


def captioned(data: DiDeMo, split: Split) -> list[CaptionedRecord]:
    return cast("list[CaptionedRecord]", list(data.dataset_index.records[split]))


@pytest.mark.parametrize(("split", "count"), [("val", 1065), ("test", 1004)])
def test_packaged_descriptions_become_paragraphs(tmp_path: Path, split: Split, count: int) -> None:
    data = DiDeMo(tmp_path)
    plain: dict[str, list[str]] = {name.split(".")[0]: [] for name in listed(split)}
    for moment in moments(split):
        plain[moment["video"].split(".")[0]] += moment["description"].split()
    records = captioned(data, split)
    assert [(r.video_id, r.captions) for r in records] == [(v, (" ".join(words),)) for v, words in plain.items()]
    assert len(records) == count == data.published_sizes()[split]
    assert not data.tally.bare


def test_splits_share_no_video() -> None:
    ids = [name.split(".")[0] for split in SPLITS for name in listed(split)]
    assert len(ids) == len(set(ids)) == 8392 + 1065 + 1004


def test_training_descriptions(tmp_path: Path) -> None:
    names = listed("train")
    write(tmp_path / "annotations", [(n, f"{t} {i}") for t in ("first", "then") for i, n in enumerate(names)])
    records = captioned(DiDeMo(tmp_path), "train")
    assert [(r.video_id, r.captions) for r in records] == [
        (name.split(".")[0], (f"first {i} then {i}",)) for i, name in enumerate(names)
    ]
    assert len(records) == 8392


def test_names_match_whatever_their_suffix(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_modules.data_sets.didemo.log", logging.getLogger("a logger of this test"))
    ids = [name.split(".")[0] for name in listed("train")[:4]]
    rows = [(f"{ids[0]}.mov", "a 🐕\n runs"), (f"{ids[1]}.", ""), (ids[0], "да"), (f"{ids[2]}.3gp", "x " * 2500)]
    write(tmp_path, [*rows, (f"{ids[1]}.avi", "two"), (f"{ids[3]}.", " "), ("unknown.mp4", "y")])
    data = DiDeMo(tmp_path)
    with caplog.at_level("INFO"):
        read = captioned(data, "train")
    assert [(r.video_id, r.captions) for r in read] == [
        (ids[0], ("a 🐕 runs да",)),
        (ids[1], ("two",)),
        (ids[2], (("x " * 2500).strip(),)),
    ]
    assert data.tally.empty == [ids[1], ids[3]]
    assert len(data.tally.bare) == 8392 - 3
    assert "1 videos are in no list for retrieval, first unknown" in caplog.text


def test_files_are_found_under_all_their_names(tmp_path: Path) -> None:
    rows = listed("test")
    ids = [name.split(".")[0] for name in rows]
    dotted = next(i for i, name in enumerate(rows) if name.endswith("."))
    other = next(i for i, name in enumerate(rows) if name.endswith(".3gp"))
    files = {0: f"deep/er/{ids[0]}.avi", 2: f"{rows[2]}.mp4", dotted: f"videos/{ids[dotted]}.", other: rows[other]}
    for file in files.values():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    read = captioned(DiDeMo(tmp_path), "test")
    assert {i: read[i].path for i in files} == {i: tmp_path / file for i, file in files.items()}
    assert read[3].path == tmp_path / f"{ids[3]}.mp4"


def test_without_descriptions_to_train_on_it_is_tested(tmp_path: Path) -> None:
    data = DiDeMo(tmp_path, features="off")
    assert {name: len(subset.records) for name, subset in data.trials[0].subsets.items()} == {
        "train": 0,
        "val": 1065,
        "test": 1004,
    }
    assert len(data.captions("test")) == 1004
    with pytest.raises(InputError, match=r"descriptions of split 'train' are missing; put train_data.json"):
        data.dataset("train", training=True)


def test_files_of_the_user_win(tmp_path: Path) -> None:
    write(tmp_path / "mine", [(listed("test")[0], "mine")], "test")
    assert [r.captions for r in captioned(DiDeMo(tmp_path, annotations=tmp_path / "mine"), "test")] == [("mine",)]
    assert len(captioned(DiDeMo(tmp_path), "test")) == 1004


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{", "line 1: this is not valid JSON"),
        ("{}", "is no list of moments"),
        ("[]", "has no captions"),
        ('[{"video": "a.mov"}]', "entry 0: there is no 'description'"),
        ('[{"video": "a.mov", "description": 3}]', "entry 0: 'description' is no text"),
    ],
)
def test_what_is_no_description_file(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "train_data.json").write_text(content)
    with pytest.raises(InputError, match=message) as error:
        _ = DiDeMo(tmp_path).dataset_index
    assert "train_data.json" in str(error.value)
