"""Any bytes in the place of a list give what it says, or one sentence that names the file, within a second."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_modules.annotations.activitynet_format import read_detections, read_ground_truth, read_video_scores
from data_modules.annotations.class_names import read_class_names
from data_modules.annotations.list_files import known_records, read_list
from data_modules.annotations.official_captions import read_didemo, read_lsmdc, read_msrvtt, read_names
from data_modules.annotations.official_files import read_hmdb, read_kinetics, read_ssv2, read_ucf
from data_modules.batch import Record
from data_modules.data_sets.captioned_folder import CaptionedFolder
from data_modules.data_sets.untrimmed_folder import UntrimmedFolder
from data_modules.data_sets.video_folder import VideoFolder
from data_modules.errors import InputError

Reader = Callable[[Path], Iterable[object]]

CLASSES = ("jump", "run")
KNOWN = [Record(f"{label}/{n}.mp4", Path(f"{label}/{n}.mp4"), -1) for label in CLASSES for n in range(3)]
ROWS = [(record.video_id, record.video_id.split("/")[0]) for record in KNOWN]
CAPTIONS = [{"video": name, "caption": f"a {label}, far"} for name, label in ROWS]
SEGMENTS = [{"label": "jump", "segment": [0, 1.5], "score": 0.5}]
TRUTH = {name: {"subset": "training", "duration": 9, "annotations": SEGMENTS} for name in "ab"}
TRUTH["c"] = {"subset": "validation", "annotations": SEGMENTS}
KINETICS = "label,youtube_id,time_start,time_end,split\n" + "".join(f"jump,abcdefghij{n},1,2,train\n" for n in "abc")
TEMPLATES = [{"id": "1", "template": "Putting [it]"}, {"id": 2, "template": "x"}]


def lines(rows: Iterable[Iterable[object]], between: str) -> str:
    return "".join(between.join(map(str, row)) + "\n" for row in rows)


def records(data: VideoFolder | CaptionedFolder | UntrimmedFolder) -> list[object]:
    return [record for split in data.dataset_index.records.values() for record in split]


# What is read, in what file, and how: each is fine as it stands here.
LISTS: dict[str, tuple[str, str, Reader]] = {
    "labels": ("l.csv", lines([("path", "label"), *ROWS], ","), lambda p: records(VideoFolder(p.parent, p))),
    "captions": (
        "c.csv",
        "video,caption\n" + "".join(f'{name},"a {label}, far"\n' for name, label in ROWS),
        lambda p: records(CaptionedFolder(p.parent, p)),
    ),
    "json captions": ("c.json", json.dumps(CAPTIONS), lambda p: records(CaptionedFolder(p.parent, p))),
    "captions by video": (
        "c.json",
        json.dumps({name: [label, "far"] for name, label in ROWS}),
        lambda p: records(CaptionedFolder(p.parent, p)),
    ),
    "json lines": (
        "c.jsonl",
        lines([[json.dumps(one)] for one in CAPTIONS], ""),
        lambda p: records(CaptionedFolder(p.parent, p)),
    ),
    "list": ("l.txt", lines(ROWS, " "), lambda p: read_list(p, CLASSES, [], known_records(KNOWN)).records),
    "csv list": ("l.csv", lines(ROWS, ","), lambda p: read_list(p, CLASSES, [], known_records(KNOWN)).records),
    "class names": ("n.txt", "1 jump\n2 run, far\n3 a b\n", read_class_names),
    "HMDB-51": ("jump_test_split1.txt", "a.avi 1\nb.avi 2\nc.avi 0\n", lambda p: read_hmdb(p.parent, ["jump"], 1)),
    "UCF-101": ("trainlist01.txt", "Jump/v_a.avi 1\nRun/v_b.avi 2\n", read_ucf),
    "Kinetics": ("train.csv", KINETICS, lambda p: read_kinetics(p, "train")),
    "SSv2": ("train.json", json.dumps(TEMPLATES), read_ssv2),
    "MSR-VTT": ("m.json", json.dumps({"sentences": [{"video_id": "v1", "caption": "x"}] * 2}), read_msrvtt),
    "DiDeMo": ("d.json", json.dumps([{"video": "a.mov", "description": "x"}] * 2), read_didemo),
    "LSMDC": ("l.csv", lines([("m_1", 1, 2, 3, 4, "x y"), ("m_2", 1, 2, 3, 4, "z")], "\t"), read_lsmdc),
    "names": ("train_set.txt", "a0\nb/a1\na2\n", read_names),
    "ground truth": ("annotations.json", json.dumps({"database": TRUTH}), lambda p: read_ground_truth(p)),
    "segments": ("annotations.json", json.dumps({"database": TRUTH}), lambda p: records(UntrimmedFolder(p.parent))),
    "detections": ("d.json", json.dumps({"results": {"a": SEGMENTS, "b": SEGMENTS}}), lambda p: read_detections(p)),
    "video scores": ("s.json", json.dumps({"results": {"a": SEGMENTS}}), lambda p: read_video_scores(p)),
}
ODD = [
    *(b"", b"\0", b"\r", b"\n", b"\r\n", b'"', b'""', b",", b"\t", b" ", b"/", b"\\", b"../", b"{}", b"[]"),
    *(b"\xff\xfe", b"\xe9", b"\xef\xbb\xbf", b"e\xcc\x81", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\x1b[31m"),
    *(b"NaN", b"-1", b"1e999", b"1.7e308", b"null", b"true", b"jump", b"%s", b"=1+1"),
    *(b"9" * 5000, b"[" * 5000, b'{"a":' * 500, b"x" * 300, b"a/" * 2000, b" " * 5000),
]
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), st.sampled_from(ODD)), max_size=3)


def edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """With some bytes, at a place that is a share of all, exchanged for others."""
    for place, length, other in edits:
        start = int(place * len(data))
        data = data[:start] + other + data[start + length :]
    return data


@pytest.mark.parametrize("kind", LISTS)
def test_what_is_fine_is_read(kind: str, tmp_path: Path) -> None:
    name, text, read = LISTS[kind]
    (tmp_path / name).write_text(text)
    assert list(read(tmp_path / name))


@pytest.mark.parametrize("kind", LISTS)
def test_any_bytes_give_a_value_or_one_sentence(kind: str, tmp_path: Path) -> None:
    name, text, read = LISTS[kind]
    path = tmp_path / name

    @settings(max_examples=40)
    @given(st.one_of(EDITS.map(lambda edits: edited(text.encode(), edits)), st.binary(max_size=40)))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        start = time.process_time()
        try:
            list(read(path))
        except InputError as error:
            said = str(error)
            assert "\n" not in said
            assert name in said or str(tmp_path) in said
            assert len(said) < 700
        assert time.process_time() - start < 2

    check()
