import gzip
import json
import math
from pathlib import Path

import pytest

from data_modules.annotations.activitynet_format import (
    AnnotatedVideo,
    Annotation,
    Detection,
    read_detections,
    read_ground_truth,
    read_video_scores,
    write_detections,
)
from data_modules.errors import InputError

CASES = Path(__file__).parent / "cases"
GOOD = {"label": "Zumba", "score": 0.5, "segment": [1, 2.5]}


def written(path: Path, content: object) -> Path:
    text = json.dumps(content)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["truth.json", "truth.json.gz"])
def test_ground_truth_is_kept_as_annotated(tmp_path: Path, name: str) -> None:
    annotations = [
        {"label": "Zumba", "segment": [1, 2.5]},
        {"label": "Zumba", "segment": [9.0, 4.0]},
        {"label": "Diving", "segment": [-1.0, 99.0]},
    ]
    database = {
        "v_b": {"subset": "validation", "duration": 30, "annotations": annotations, "url": "u"},
        "a": {"subset": "testing"},
    }
    assert read_ground_truth(written(tmp_path / name, {"version": "1.3", "database": database})) == {
        "v_b": AnnotatedVideo(
            "v_b",
            "validation",
            30.0,
            (Annotation("Zumba", 1.0, 2.5), Annotation("Zumba", 9.0, 4.0), Annotation("Diving", -1.0, 99.0)),
        ),
        "a": AnnotatedVideo("a", "testing", None, ()),
    }


@pytest.mark.parametrize(
    ("video", "message"),
    [
        ([], r"video 'a': an object {...} is expected, not \[\]"),
        ({}, "video 'a': 'subset' is missing in {}"),
        ({"subset": 3}, "video 'a': 'subset' must be a text that is not empty, not 3"),
        ({"subset": "x", "duration": "9"}, "video 'a': 'duration' must be a finite number, not \"9\""),
        ({"subset": "x", "annotations": {}}, "video 'a': a list of entries is expected, not {}"),
        ({"subset": "x", "annotations": [7]}, "video 'a', entry 0: an object {...} is expected, not 7"),
        ({"subset": "x", "annotations": [{"segment": [1, 2]}]}, "video 'a', entry 0: 'label' is missing"),
        ({"subset": "x", "annotations": [{"label": "l"}]}, "video 'a', entry 0: 'segment' is missing"),
        (
            {
                "subset": "x",
                "annotations": [{"label": "l", "segment": [1, 2]}, {"label": "l", "segment": [1, math.nan]}],
            },
            "video 'a', entry 1: the end of 'segment' must be a finite number, not NaN",
        ),
        (
            {"subset": "x", "annotations": [{"label": "l", "segment": [10**400, 2]}]},
            "video 'a', entry 0: the start of 'segment' must be a finite number, not 1000",
        ),
        (
            {"subset": "x", "annotations": [{"label": "l", "segment": [[1, 2], [3, 4]]}]},
            r"video 'a', entry 0: the start of 'segment' must be a finite number, not \[1, 2\]",
        ),
        (
            {"subset": "x", "annotations": [{"label": "l", "segment": [0, 1e308]}]},
            r"video 'a', entry 0: the end of 'segment' must be a time in seconds, and 1e\+308 is that of no video",
        ),
        ({"subset": "x", "duration": -3}, "video 'a': 'duration' must be more than 0 seconds, not -3"),
    ],
)
def test_mistakes_in_ground_truth(tmp_path: Path, video: object, message: str) -> None:
    path = written(tmp_path / "truth.json", {"database": {"fine": {"subset": "x"}, "a": video}})
    with pytest.raises(InputError, match=f"truth.json, {message}"):
        read_ground_truth(path)


@pytest.mark.parametrize("name", ["found.json", "found.json.gz"])
def test_detections_come_back_as_they_were_written(tmp_path: Path, name: str) -> None:
    detections = {"b": (Detection("Zumba", 0.1, 2.0 / 3, 0.25), Detection("", 4.0, 4.0, 1.0)), "a": ()}
    path = tmp_path / name
    write_detections(path, detections, {"score": "clip_only", "details": "ä"})
    data = path.read_bytes()
    content = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    assert content["version"] == "VERSION 1.3"
    assert content["external_data"] == {"score": "clip_only", "details": "ä"}
    assert content["results"]["b"][1] == {"score": 1.0, "segment": [4.0, 4.0]}
    assert read_detections(path, labels=False) == detections
    with pytest.raises(InputError, match="video 'b', entry 1: 'label' is missing"):
        read_detections(path)
    write_detections(path, detections, {"score": "clip_only", "details": "ä"})
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("x", 'an object {...} is expected, not "x"'),
        ({"score": 0.5, "segment": [1, 2]}, "'label' is missing"),
        ({**GOOD, "label": ""}, "'label' must be a text that is not empty, not \"\""),
        ({"label": "Zumba", "segment": [1, 2]}, "'score' is missing"),
        ({"label": "Zumba", "score": 0.5}, "'segment' is missing"),
        ({**GOOD, "score": math.nan}, "'score' must be a finite number, not NaN"),
        ({**GOOD, "score": "0.5"}, "'score' must be a finite number, not \"0.5\""),
        ({**GOOD, "score": True}, "'score' must be a finite number, not true"),
        ({**GOOD, "score": 1.01}, "'score' must be from 0 to 1, not 1.01"),
        ({**GOOD, "score": -1}, "'score' must be from 0 to 1, not -1"),
        ({**GOOD, "segment": [1]}, r"'segment' must be \[start, end\] in seconds, not \[1\]"),
        ({**GOOD, "segment": None}, r"'segment' must be \[start, end\] in seconds, not null"),
        ({**GOOD, "segment": [0, math.inf]}, "the end of 'segment' must be a finite number, not Infinity"),
        ({**GOOD, "segment": [None, 1]}, "the start of 'segment' must be a finite number, not null"),
        ({**GOOD, "segment": [-0.5, 1]}, r"must not start before 0 or end before its start, as \[-0.5, 1.0\] does"),
        ({**GOOD, "segment": [0, 1.7e308]}, r"the end of 'segment' must be a time in seconds, and 1.7e\+308"),
        ({**GOOD, "segment": [3, 2]}, r"must not start before 0 or end before its start, as \[3.0, 2.0\] does"),
    ],
)
def test_mistakes_in_detections(tmp_path: Path, entry: object, message: str) -> None:
    path = written(tmp_path / "found.json", {"results": {"a": [GOOD], "b": [GOOD, GOOD, entry]}})
    with pytest.raises(InputError, match=f"found.json, video 'b', entry 2: .*{message}"):
        read_detections(path)


def test_video_scores(tmp_path: Path) -> None:
    entries = [{"label": "Zumba", "score": 0.75}, {"label": "Diving", "score": 0}]
    path = written(tmp_path / "scores.json.gz", {"results": {"a": entries, "b": []}})
    assert read_video_scores(path) == {"a": {"Zumba": 0.75, "Diving": 0.0}, "b": {}}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"label": "Zumba", "score": 0.5}, "'Zumba' has a score already; keep one of the two"),
        ({"label": "Diving", "score": 2}, "'score' must be from 0 to 1"),
        ({"label": "Diving"}, "'score' is missing"),
    ],
)
def test_mistakes_in_video_scores(tmp_path: Path, entry: object, message: str) -> None:
    path = written(tmp_path / "scores.json", {"results": {"a": [{"label": "Zumba", "score": 0.5}, entry]}})
    with pytest.raises(InputError, match=f"scores.json, video 'a', entry 1: {message}"):
        read_video_scores(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "is not valid JSON"),
        (b"\xff\xfe{", "line 1: this begins as UTF-16 text and is none"),
        (b"\xfe{}", "line 1: this is not UTF-8 text"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", 'the videos by id must stand below "results": {"results": {...}}'),
        (b'{"database": {}}', 'must stand below "results"'),
        (b'{"results": []}', 'must stand below "results"'),
        (b'{"results": {"a": {}}}', "video 'a': a list of entries is expected, not {}"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "found.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_detections(path)


@pytest.mark.parametrize(
    ("database", "message"),
    [
        (r'{"a": {"subset": "x"}, "b": {"subset": "x"}, "a": {"subset": "y"}}', 'the key "a" stands twice'),
        (r'{"é": {"subset": "x"}, "e\u0301": {"subset": "y"}}', "the video 'é' stands there twice, with its accents"),
        (rf'{{"{"a" * 241}": {{}}}}', "no file can be called .* it has 241 bytes, and 240 is the most"),
        ((CASES / "gt_surrogate.json").read_text()[13:-1], r"line 1: \\ud800 is no character"),
    ],
)
def test_ids_that_are_two_or_no_names(tmp_path: Path, database: str, message: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(f'{{"database": {database}}}', encoding="utf-8")
    with pytest.raises(InputError, match=rf"truth\.json.*{message}"):
        read_ground_truth(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*none.json"):
        read_ground_truth(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_ground_truth(tmp_path)
    half = gzip.compress(b'{"results": {}}')[:-9]
    for data in (half, b"no gzip"):
        path = tmp_path / "found.json.gz"
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"found.json.gz cannot be read"):
            read_detections(path)
