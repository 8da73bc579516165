"""ActivityNet's JSON files, which other data sets use too: ground truth, detections, and scores of whole videos.

Video ids are taken as they stand. ``.json`` and ``.json.gz`` are read and written alike. Every mistake in a file is an
`InputError` that names the file, the video, the number of the entry (from 0) and the value.

Source: Evaluation/README.md@activitynet/ActivityNet.
"""

import gzip
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from data_modules.annotations.listed_videos import check_name
from data_modules.errors import InputError
from data_modules.files.atomic import write_whole
from data_modules.files.text_files import composed, excerpt, read_json

VERSION = "VERSION 1.3"
MOST_SECONDS = 1e8  # of a time in a video: three years

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Annotation:
    """One instance of a class, as annotated: it may be empty, reversed, or longer than the video."""

    label: str
    start_sec: float
    end_sec: float


@dataclass(frozen=True, slots=True)
class AnnotatedVideo:
    """What the ground truth says of one video; the duration is None where the file has none."""

    video_id: str
    subset: str
    duration_sec: float | None
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True)
class Detection:
    """One detection: ``0 <= start_sec <= end_sec``, score in [0, 1]. A class-agnostic proposal has an empty label."""

    label: str
    start_sec: float
    end_sec: float
    score: float


def read_ground_truth(path: Path) -> dict[str, AnnotatedVideo]:
    """The annotated videos by id, in the order of the file.

    Args:
        path: ``{"database": {id: {"subset", "duration", "annotations": [{"label", "segment": [start, end]}]}}}``. The
            duration may be missing, and so may the annotations of videos whose ground truth is held back.

    Raises:
        InputError: when the file cannot be read, has another shape, or holds a time that is no finite number.
    """
    videos: dict[str, AnnotatedVideo] = {}
    for video_id, content in _videos(path, "database"):
        place = f"{path}, video '{video_id}'"
        subset, duration_sec = _at(place, _subset_and_duration, content)
        assert isinstance(content, dict)
        annotations = _entries(place, content.get("annotations", []), _annotation)
        videos[video_id] = AnnotatedVideo(video_id, subset, duration_sec, annotations)
    return videos


def read_detections(path: Path, *, labels: bool = True) -> dict[str, tuple[Detection, ...]]:
    """Detections or proposals by video id, in the order of the file.

    Args:
        path: ``{"results": {id: [{"label", "score", "segment": [start, end]}]}}``. Empty segments (end equal to start)
            are taken, as the toolkit's own sample holds some.
        labels: False for proposals, which need no label.

    Raises:
        InputError: when the file cannot be read, has another shape, or holds a segment or score that cannot be.
    """
    read = _detection if labels else _proposal
    return {
        video_id: _entries(f"{path}, video '{video_id}'", entries, read)
        for video_id, entries in _videos(path, "results")
    }


def write_detections(path: Path, detections: Mapping[str, Sequence[Detection]], about: Mapping[str, object]) -> None:
    """Write the official result format, whole or not at all.

    Args:
        path: ``.json`` or ``.json.gz``, in a folder that exists.
        detections: by video id; an empty label is left out.
        about: what the file says of itself, as ``external_data``.
    """
    results = {video_id: [_as_entry(detection) for detection in own] for video_id, own in detections.items()}
    content = {"version": VERSION, "results": results, "external_data": dict(about)}
    data = (json.dumps(content, allow_nan=False) + "\n").encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)  # no time stamp: equal content, equal bytes
    write_whole(path, lambda partial: partial.write_bytes(data))


def read_video_scores(path: Path) -> dict[str, dict[str, float]]:
    """What an outside classifier says of whole videos: video id -> label -> score.

    Args:
        path: ActivityNet's classification result, ``{"results": {id: [{"label", "score"}]}}``.

    Raises:
        InputError: when the file cannot be read, has another shape, a score is not in [0, 1], or a label stands twice.
    """
    scores: dict[str, dict[str, float]] = {}
    for video_id, entries in _videos(path, "results"):
        place = f"{path}, video '{video_id}'"
        own = scores[video_id] = {}
        pairs = _entries(place, entries, lambda item: (_text(item, "label"), _score(item)))
        for number, (label, score) in enumerate(pairs):
            if label in own:
                raise InputError(f"{place}, entry {number}: '{label}' has a score already; keep one of the two.")
            own[label] = score
    return scores


def _videos(path: Path, name: str) -> Iterator[tuple[str, object]]:
    """Id and content of each video below this name."""
    content = read_json(path)
    videos = content.get(name) if isinstance(content, dict) else None
    if not isinstance(videos, dict):
        raise InputError(f'{path}: the videos by id must stand below "{name}": {{"{name}": {{...}}}}.')
    ids = {check_name(composed(video_id), f"{path}, '{name}'"): video_id for video_id in videos}
    if len(ids) < len(videos):
        twice = next(video_id for video_id in videos if ids[composed(video_id)] != video_id)
        raise InputError(f"{path}: the video '{twice}' stands there twice, with its accents written in two ways.")
    yield from ((video_id, videos[written]) for video_id, written in ids.items())


def _entries(place: str, items: object, read: Callable[[object], T]) -> tuple[T, ...]:
    """Each entry of a list as ``read`` understands it."""
    if not isinstance(items, list):
        raise InputError(f"{place}: a list of entries is expected, not {excerpt(items, 60)}.")
    return tuple(_at(f"{place}, entry ", read, item, number) for number, item in enumerate(items))


def _at(place: str, read: Callable[[object], T], item: object, number: int | None = None) -> T:
    """``read(item)``, whose messages get the place in front: one text for each mistake, not for each of a million."""
    try:
        return read(item)
    except InputError as error:
        raise InputError(f"{place}{'' if number is None else number}: {error}") from None


def _subset_and_duration(item: object) -> tuple[str, float | None]:
    subset = _text(item, "subset")
    assert isinstance(item, dict)
    if item.get("duration") is None:
        return subset, None
    duration = _seconds(item["duration"], "'duration'")
    if duration <= 0:
        raise InputError(
            f"'duration' must be more than 0 seconds, not {duration:g}; leave it out where it is not known."
        )
    return subset, duration


def _annotation(item: object) -> Annotation:
    return Annotation(_text(item, "label"), *_segment(item))


def _detection(item: object) -> Detection:
    return _located(item, _text(item, "label"))


def _proposal(item: object) -> Detection:
    return _located(item, _text(item, "label") if isinstance(item, dict) and "label" in item else "")


def _located(item: object, label: str) -> Detection:
    start_sec, end_sec = _segment(item)
    if not 0 <= start_sec <= end_sec:
        raise InputError(
            f"a segment must not start before 0 or end before its start, as [{start_sec}, {end_sec}] does."
        )
    return Detection(label, start_sec, end_sec, _score(item))


def _field(item: object, name: str) -> object:
    if not isinstance(item, dict):
        raise InputError(f"an object {{...}} is expected, not {excerpt(item, 60)}.")
    if name not in item:
        raise InputError(f"'{name}' is missing in {excerpt(item, 60)}.")
    return item[name]


def _text(item: object, name: str) -> str:
    value = _field(item, name)
    if not isinstance(value, str) or not value:
        raise InputError(f"'{name}' must be a text that is not empty, not {excerpt(value, 60)}.")
    return composed(value)


def _segment(item: object) -> tuple[float, float]:
    value = _field(item, "segment")
    if not isinstance(value, list) or len(value) != 2:
        raise InputError(f"'segment' must be [start, end] in seconds, not {excerpt(value, 60)}.")
    return _seconds(value[0], "the start of 'segment'"), _seconds(value[1], "the end of 'segment'")


def _score(item: object) -> float:
    score = _number(_field(item, "score"), "'score'")
    if not 0 <= score <= 1:
        raise InputError(f"'score' must be from 0 to 1, not {score}.")
    return score


def _seconds(value: object, name: str) -> float:
    seconds = _number(value, name)
    if abs(seconds) > MOST_SECONDS:
        raise InputError(f"{name} must be a time in seconds, and {seconds:g} is that of no video.")
    return seconds


def _number(value: object, name: str) -> float:
    # JSON has whole numbers of any size, Python's reader also NaN and Infinity; True is no number.
    if type(value) is int and abs(value) < 2**53:
        return float(value)
    if type(value) is not float or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number, not {excerpt(value, 60)}.")
    return value


def _as_entry(detection: Detection) -> dict[str, object]:
    label = {"label": detection.label} if detection.label else {}
    return {**label, "score": detection.score, "segment": [detection.start_sec, detection.end_sec]}
