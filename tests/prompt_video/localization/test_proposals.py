import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from data_modules.errors import InputError
from prompt_video.localization.proposals import LoadedProposals

ALWAYS = (-math.inf, math.inf)


def write(folder: Path, results: Any) -> Path:  # noqa: ANN401 - whatever stands in a file
    path = folder / "proposals.json"
    path.write_text(json.dumps({"version": "VERSION 1.3", "results": results}))
    return path


def entry(start: float, end: float, score: float = 0.5, **more: str) -> dict[str, Any]:
    return {"segment": [start, end], "score": score, **more}


def test_segments_and_scores_with_and_without_labels(tmp_path: Path) -> None:
    path = write(tmp_path, {"v": [entry(1.5, 4, 0.75, label="dive"), entry(0, 2)], "w": [entry(3, 5, 1)]})
    proposals = LoadedProposals(path)
    segments, scores = proposals.of("v", ALWAYS)
    assert segments.tolist() == [[1.5, 4.0], [0.0, 2.0]]
    assert scores.tolist() == [0.75, 0.5]
    assert proposals.of("w", ALWAYS)[0].dtype == torch.float32


def test_a_segment_under_several_labels_counts_once_with_its_best_score(tmp_path: Path) -> None:
    entries = [
        entry(1, 4, 0.25, label="dive"),
        entry(1, 4, 0.75, label="jump"),
        entry(1, 4.5, 0.5, label="jump"),
        entry(1, 4, 0.5, label="run"),
        entry(1, 4, 0.0),
    ]
    segments, scores = LoadedProposals(write(tmp_path, {"v": entries})).of("v", ALWAYS)
    assert segments.tolist() == [[1.0, 4.0], [1.0, 4.5]]
    assert scores.tolist() == [0.75, 0.5]


def test_each_belongs_to_the_stretch_that_its_middle_lies_in(tmp_path: Path) -> None:
    proposals = LoadedProposals(write(tmp_path, {"v": [entry(0, 2), entry(0, 4), entry(1, 5), entry(90, 100)]}))
    stretches = [(-math.inf, 2.0), (2.0, 3.0), (3.0, math.inf)]
    found = [proposals.of("v", stretch)[0].tolist() for stretch in stretches]
    assert found == [[[0.0, 2.0]], [[0.0, 4.0]], [[1.0, 5.0], [90.0, 100.0]]]


def test_videos_without_proposals(tmp_path: Path) -> None:
    proposals = LoadedProposals(write(tmp_path, {"v": [entry(0, 2)], "empty": []}))
    for video_id in ("empty", "unknown"):
        segments, scores = proposals.of(video_id, ALWAYS)
        assert (segments.shape, scores.shape) == ((0, 2), (0,))
    assert proposals.missing(["a", "v", "empty", "b"]) == ["a", "b"]
    proposals.check(["a", "v"])
    proposals.check(["empty"])
    proposals.check([])


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ({"a": [entry(0, 1)]}, "'v' is missing, and its own are called like 'a'"),
        ({}, "'v' is missing, and it names no video"),
    ],
)
def test_a_file_of_other_videos_is_refused(tmp_path: Path, results: Any, told: str) -> None:  # noqa: ANN401
    path = write(tmp_path, results)
    with pytest.raises(InputError) as caught:
        LoadedProposals(path).check(["v", "w"])
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (entry(math.nan, 3), "the start of 'segment' must be a finite number, not NaN"),
        (entry(1, math.inf), "the end of 'segment' must be a finite number, not Infinity"),
        (entry(5, 3), "must not start before 0 or end before its start, as [5.0, 3.0] does"),
        (entry(-1, 3), "must not start before 0 or end before its start, as [-1.0, 3.0] does"),
        (entry(1, 3, 1.5), "'score' must be from 0 to 1, not 1.5"),
        (entry(1, 3, math.nan), "'score' must be a finite number, not NaN"),
        ({"segment": [1, 3]}, "'score' is missing"),
        ({"score": 0.5}, "'segment' is missing"),
        ({"segment": [1, 2, 3], "score": 0.5}, "'segment' must be [start, end] in seconds"),
        ([1, 3], "an object {...} is expected"),
    ],
)
def test_one_clear_message_names_the_entry_that_cannot_be(tmp_path: Path, bad: Any, told: str) -> None:  # noqa: ANN401
    path = write(tmp_path, {"fine": [entry(0, 1)], "v": [entry(0, 1), bad]})
    with pytest.raises(InputError) as caught:
        LoadedProposals(path)
    assert told in str(caught.value)
    assert f"{path}, video 'v', entry 1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        LoadedProposals(tmp_path / "nowhere.json")
