"""What a test or a prediction leaves for people, by the kind of its results: files, and media for a dashboard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from data_modules.annotations.activitynet_format import Detection
from prompt_video.io.spreadsheet import write_rows
from prompt_video.localization.selection import MIN_SCORE
from prompt_video.model.prompt_words import VectorWords
from prompt_video.reports.localization_files import write_detections_by, write_localization
from prompt_video.reports.localization_media import localization_media
from prompt_video.reports.media import MediaItem, Table
from prompt_video.reports.multi_label import multi_label_media, write_multi_label
from prompt_video.reports.predictions import Predictions, of_detections
from prompt_video.reports.recognition_files import write_recognition
from prompt_video.reports.recognition_media import recognition_media
from prompt_video.reports.retrieval_files import write_queries
from prompt_video.reports.retrieval_media import retrieval_media
from prompt_video.tasks.classification_results import ClassificationResults
from prompt_video.tasks.detection_results import CLIP_ONLY, DetectionResults
from prompt_video.tasks.multi_label_results import MultiLabelResults
from prompt_video.tasks.results import Results
from prompt_video.tasks.retrieval_results import RetrievalResults

R = TypeVar("R", bound=Results)
C = TypeVar("C", ClassificationResults, MultiLabelResults)


def write_test(folder: Path, tests: Mapping[str, Results], model: str) -> None:
    """Write what a test came to beside its metrics.

    Args:
        folder: for the files.
        tests: the results of each test.
        model: what made them, in words.
    """
    for test, classified in _scored(ClassificationResults, tests).items():
        write_recognition(folder, _suffix(test), classified)
    for test, labelled in _scored(MultiLabelResults, tests).items():
        write_multi_label(folder, _suffix(test), labelled)
    if detected := _of_kind(DetectionResults, tests):
        write_localization(folder, detected, {"model": model})
    for test, retrieved in _of_kind(RetrievalResults, tests).items():
        if retrieved.answers is not None:
            write_queries(folder, _suffix(test), retrieved.answers)


def write_prompt_words(folder: Path, words: Sequence[VectorWords]) -> None:
    """Write the words near each learned vector as ``prompt_words.csv``; nothing where there are no vectors."""
    write_rows(folder / "prompt_words.csv", [vector.row() for vector in words])


def media(tests: Mapping[str, Results], words: Sequence[VectorWords]) -> dict[str, MediaItem]:
    """What a dashboard shows of a test, by name.

    Args:
        tests: the results of each test.
        words: near the learned vectors.
    """
    items: dict[str, MediaItem] = {}
    if words:
        rows = [vector.row() for vector in words]
        items["tables/prompt_words"] = Table(list(rows[0]), [list(row.values()) for row in rows])
    if classified := _scored(ClassificationResults, tests):
        items |= recognition_media(classified)
    if labelled := _scored(MultiLabelResults, tests):
        items |= multi_label_media(labelled)
    if detected := _of_kind(DetectionResults, tests):
        items |= localization_media(detected)
    if retrieved := _of_kind(RetrievalResults, tests):
        items |= retrieval_media(retrieved)
    return items


def write_predictions(folder: Path, rows: Sequence[Mapping[str, Any]], tests: Mapping[str, Results], model: str) -> str:
    """Write what a prediction came to.

    Args:
        folder: for the files.
        rows: what ``predict_step`` returned for all videos.
        tests: the results of each test, whose kind says what the rows are.
        model: what made them, in words.

    Returns:
        What was written, in words.
    """
    if _of_kind(DetectionResults, tests):
        detections = {row["video_id"]: [Detection(*one) for one in row["detections"]] for row in rows}
        write_detections_by(folder, CLIP_ONLY, detections, MIN_SCORE, {"model": model})
        return of_detections(model, detections).write(folder)
    if _of_kind(RetrievalResults, tests):
        found = [(row["caption"], list(row["scores"].items())) for row in rows]
        return Predictions(model, "caption", ("video", "score"), found).write(folder)
    found = [(row["video_id"], list(row["scores"].items())) for row in rows]
    labels = [row["label"] for row in rows if "label" in row]
    return Predictions(model, "video", ("class", "probability"), found, labels=labels).write(folder)


def _of_kind(kind: type[R], tests: Mapping[str, Results]) -> dict[str, R]:
    return {name: results for name, results in tests.items() if isinstance(results, kind)}


def _scored(kind: type[C], tests: Mapping[str, Results]) -> dict[str, C]:
    """The tests of recognition that were scored: a linear probe cannot take all."""
    return {name: results for name, results in _of_kind(kind, tests).items() if results.videos}


def _suffix(test: str) -> str:
    """Of the names of files of a test: none of the only one."""
    return "" if test == "test" else f"_{test}"
