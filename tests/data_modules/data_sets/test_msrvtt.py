"""What the data module makes of lists and caption files, against a plain reading of them."""

import csv
import gzip
import json
import logging
from pathlib import Path
from typing import Literal, cast

import pytest

from data_modules.annotations.published_lists import LISTS
from data_modules.batch import CaptionedRecord
from data_modules.data_sets.msrvtt import MSRVTT
from data_modules.errors import InputError
from data_modules.protocols import ClosedSet
from data_modules.protocols.trial import Split

FOLDER = LISTS / "msrvtt"
Division = Literal["1k-a-9k", "1k-a-7k", "full", "1k-b"]
LIST_OF: dict[tuple[Division, Split], str] = {
    ("1k-a-9k", "train"): "1k-a_train_9k.csv.gz",
    ("1k-a-7k", "train"): "1k-a_train_7k.csv.gz",
    ("full", "train"): "full_train.csv.gz",
    ("full", "val"): "full_val.csv.gz",
    ("full", "test"): "full_test.csv.gz",
    ("1k-b", "train"): "1k-b_train.txt.gz",
    ("1k-b", "test"): "1k-b_test.txt.gz",
}
COUNTS: dict[tuple[Division, Split], int] = {
    ("1k-a-9k", "train"): 9000,
    ("1k-a-7k", "train"): 7010,
    ("full", "train"): 6513,
    ("full", "val"): 497,
    ("full", "test"): 2990,
    ("1k-b", "train"): 6656,
    ("1k-b", "test"): 1000,
}


def lines(name: str) -> list[str]:
    result = gzip.decompress((FOLDER / name).read_bytes()).decode().split()
    return result[1:] if name.endswith(".csv.gz") else result


def pairs_of_1ka() -> list[dict[str, str]]:
    return list(csv.DictReader(gzip.decompress((FOLDER / "1k-a_test.csv.gz").read_bytes()).decode().splitlines()))


def write(path: Path, sentences: list[tuple[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    items = [{"caption": c, "video_id": v, "sen_id": n} for n, (v, c) in enumerate(sentences)]
    path.write_text(json.dumps({"videos": [], "sentences": items}))
    return path


def captioned(data: MSRVTT, split: Split) -> list[CaptionedRecord]:
    return cast("list[CaptionedRecord]", list(data.dataset_index.records.get(split, ())))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With synthetic captions of all videos, those of one standing apart from each other."""
    folder = tmp_path_factory.mktemp("msrvtt")
    rows = [(f"video{n}", f"take {take} of {n}") for take in range(2) for n in reversed(range(10_000))]
    write(folder / "annotations" / "MSRVTT_data.json", rows)
    return folder


@pytest.mark.parametrize(("division", "split"), list(LIST_OF))
def test_lists_and_captions_in_order(root: Path, division: Division, split: Split) -> None:
    records = captioned(MSRVTT(root, split=division), split)
    plain = [(v, (f"take 0 of {v[5:]}", f"take 1 of {v[5:]}")) for v in lines(LIST_OF[division, split])]
    assert [(record.video_id, record.captions) for record in records] == plain
    assert len(records) == COUNTS[division, split] == MSRVTT(root, split=division).published_sizes()[split]


@pytest.mark.parametrize("division", ["1k-a-9k", "1k-a-7k"])
def test_1ka_tests_its_own_pairs(root: Path, division: Division) -> None:
    data = MSRVTT(root, split=division)
    pairs = [(row["video_id"], (" ".join(row["sentence"].split()),)) for row in pairs_of_1ka()]
    assert [(r.video_id, r.captions) for r in captioned(data, "test")] == pairs
    assert len(pairs) == 1000
    assert not {r.video_id for r in captioned(data, "train")} & {video_id for video_id, _ in pairs}
    assert "val" not in data.dataset_index.records


def test_1ka_test_videos_are_trained_on_in_1kb() -> None:
    tested = {row["video_id"] for row in pairs_of_1ka()}
    assert len(tested & set(lines("1k-b_train.txt.gz"))) == 453
    assert not set(lines("1k-b_train.txt.gz")) & set(lines("1k-b_test.txt.gz"))
    assert tested <= set(lines("full_test.csv.gz"))


def test_the_official_pair_says_the_same(tmp_path: Path) -> None:
    write(tmp_path / "train_val_videodatainfo.json", [("video0", "one"), ("video7009", "two")])
    with pytest.raises(InputError, match=r"is there, and test_videodatainfo.json is not"):
        _ = MSRVTT(tmp_path, split="full").dataset_index
    write(tmp_path / "test_videodatainfo.json", [("video7010", "three")])
    for place in (None, tmp_path, tmp_path / "test_videodatainfo.json"):
        data = MSRVTT(tmp_path, split="full", captions=place)
        result = {
            split: [(r.video_id, r.captions) for r in captioned(data, split)] for split in data.dataset_index.records
        }
        assert result == {
            "train": [("video0", ("one",))],
            "val": [("video7009", ("two",))],
            "test": [("video7010", ("three",))],
        }
        assert len(data.tally.bare) == 10_000 - 3


def test_without_captions_only_1ka_is_tested(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_modules.data_sets.msrvtt.log", logging.getLogger("a logger of this test"))
    data = MSRVTT(tmp_path, protocol=ClosedSet(val_fraction=0.1), features="off")
    assert {name: len(subset.records) for name, subset in data.trials[0].subsets.items() if name != "val"} == {
        "train": 0,
        "test": 1000,
    }
    assert "this can only be tested; put MSRVTT_data.json" in caplog.text
    assert len(data.dataset("test", training=False)) == 1000
    with pytest.raises(InputError, match=r"captions of split 'train' are missing; put MSRVTT_data.json"):
        data.dataset("train", training=True)
    for division in ("full", "1k-b"):
        with pytest.raises(InputError, match=r"captions are missing; put MSRVTT_data.json .*1k-A test are packaged"):
            _ = MSRVTT(tmp_path, split=division).dataset_index
    with pytest.raises(InputError, match=r"there is no .*nowhere"):
        _ = MSRVTT(tmp_path, captions=tmp_path / "nowhere").dataset_index
    with pytest.raises(InputError, match="has no captions; put"):
        _ = MSRVTT(tmp_path, captions=tmp_path).dataset_index


def test_odd_captions_are_kept_or_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_modules.data_sets.msrvtt.log", logging.getLogger("a logger of this test"))
    rows = [
        ("video0", "a dog 🐕 runs"),
        ("video0", " \n "),
        ("video1", "кошка"),
        ("video0", "a  dog 🐕\truns "),
        ("video2", "猫が走る"),
        ("video3", "word " * 1000),
        ("video4", ""),
        ("video10000", "of no video"),
    ]
    data = MSRVTT(tmp_path, split="full", captions=write(tmp_path / "mine.json", rows))
    assert {r.video_id: r.captions for r in captioned(data, "train")} == {
        "video0": ("a dog 🐕 runs",),
        "video1": ("кошка",),
        "video2": ("猫が走る",),
        "video3": (("word " * 1000).strip(),),
    }
    assert data.tally.empty == ["video0", "video4"]
    assert data.tally.repeated == ["video0"]
    assert "video4" in data.tally.bare
    assert "captions of 1 unknown videos, first video10000" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"sentences": [', "line 1: this is not valid JSON"),
        pytest.param("[" * 100_000, "line 1: this is nested too deeply", id="too deep"),
        ("[]", "has no list 'sentences'"),
        ({"sentences": {}}, "has no list 'sentences'"),
        ({"sentences": []}, "has no captions"),
        ({"sentences": ["a dog"]}, "sentences, entry 0: an object with 'video_id' and 'caption' is expected"),
        ({"sentences": [{"video_id": "video0", "caption": "x"}, {"caption": "y"}]}, "entry 1: there is no 'video_id'"),
        ({"sentences": [{"video_id": "video0"}]}, "entry 0: there is no 'caption'"),
        ({"sentences": [{"video_id": 0, "caption": "x"}]}, "entry 0: 'video_id' is no text"),
        ({"sentences": [{"video_id": " ", "caption": "x"}]}, "entry 0: 'video_id' is empty"),
        ({"sentences": [{"video_id": "video0", "caption": "\ud800"}]}, r"line 1: \\ud800 is no character"),
    ],
)
def test_what_is_no_caption_file(tmp_path: Path, content: object, message: str) -> None:
    file = tmp_path / "MSRVTT_data.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(InputError, match=message) as error:
        _ = MSRVTT(tmp_path).dataset_index
    assert str(file) in str(error.value)


def test_videos_lie_in_any_layout(root: Path, tmp_path: Path) -> None:
    (tmp_path / "TestVideo").mkdir()
    (tmp_path / "TestVideo" / "video9770.webm").touch()
    records = captioned(MSRVTT(tmp_path, captions=root / "annotations"), "test")
    assert records[0].path == tmp_path / "TestVideo" / "video9770.webm"
    assert records[1].path == tmp_path / "video9771.mp4"
    with pytest.raises(InputError, match="there is no folder"):
        _ = MSRVTT(tmp_path / "none").dataset_index
    assert len(captioned(MSRVTT(tmp_path / "none", features="store"), "test")) == 1000
