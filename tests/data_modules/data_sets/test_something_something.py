import json
from pathlib import Path

import pytest

from data_modules.data_sets.hmdb51 import HMDB51
from data_modules.data_sets.something_something import SomethingSomethingV2
from data_modules.errors import InputError
from data_modules.synthetic import annotation_fixtures

ENTRIES = [
    {"id": "300001", "label": "holding potato next to bottle", "template": "Holding [something] next to [something]"},
    {"id": "300002", "label": "closing a box", "template": "Closing [something]", "placeholders": ["a box"]},
]


@pytest.mark.parametrize("place", ["train.json", "labels/train.json", "something-something-v2-train.json"])
def test_the_training_list_is_found_where_downloads_have_it(tmp_path: Path, place: str) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "20bn").mkdir()
    (tmp_path / "20bn" / "300002.mp4").touch()
    (tmp_path / place).write_text(json.dumps(ENTRIES))
    dataset_index = SomethingSomethingV2(tmp_path).dataset_index
    first, second = dataset_index.records["train"]
    assert (first.video_id, first.path) == ("300001", tmp_path / "300001.webm")
    assert (second.video_id, second.path) == ("300002", tmp_path / "20bn" / "300002.mp4")
    names = [dataset_index.class_names[record.target] for record in (first, second)]
    assert names == ["Holding something next to something", "Closing something"]


def test_the_users_validation_list_goes_before_the_packaged_one(tmp_path: Path) -> None:
    (tmp_path / "validation.json").write_text(json.dumps(ENTRIES))
    elsewhere = tmp_path / "videos"
    elsewhere.mkdir()
    assert len(SomethingSomethingV2(elsewhere, annotations=tmp_path).dataset_index.records["test"]) == 2
    assert len(SomethingSomethingV2(elsewhere).dataset_index.records["test"]) == 24777


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{]", r"train.json, line 1: this is not valid JSON"),
        ("{}", r"train.json names no video"),
        ("[]", r"train.json names no video"),
        ('[{"label": "x"}]', r"entry 1: it has no id"),
        ('[{"id": "1"}]', r"entry 1: it has no template; the labels of the test videos are not public"),
        ('[{"id": "1", "template": "Flying [something]"}]', r"entry 1: 'Flying something' is no class"),
        (json.dumps([*ENTRIES, ENTRIES[0]]), r"entry 3: 300001 stands already in .*entry 1"),
    ],
)
def test_bad_lists(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(InputError, match=message):
        SomethingSomethingV2(tmp_path).dataset_index.records["train"]


def test_synthetic_annotations(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"training videos of Something-Something v2 .* put train.json"):
        SomethingSomethingV2(tmp_path).dataset_index.records["train"]
    annotation_fixtures.write_annotations(SomethingSomethingV2(tmp_path))
    records = SomethingSomethingV2(tmp_path).dataset_index.records["train"]
    assert len(records) == 4 * 174
    assert {record.target for record in records} == set(range(174))


def test_complete_data_sets_need_no_synthetic_annotations(tmp_path: Path) -> None:
    annotation_fixtures.write_annotations(HMDB51(tmp_path))
    assert not list(tmp_path.iterdir())


def test_published_sizes(tmp_path: Path) -> None:
    data = SomethingSomethingV2(tmp_path)
    assert data.published_sizes() == {"train": 168913, "test": len(data.dataset_index.records["test"])}
