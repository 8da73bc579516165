"""Made-up inputs, which were also given to the official toolkit; what it answered lies in data/."""

import gzip
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pytest

import data_modules
from prompt_video.metrics.tables import Detections, Truth, video_number

Json: TypeAlias = dict[str, Any]

DATA = Path(__file__).parent / "data"
ACTIVITYNET = Path(data_modules.__file__).parent / "annotations" / "lists" / "activitynet" / "ground_truth.json.gz"


class Kind(NamedTuple):
    """Numbers are the most of each; on a grid overlaps are often equal, or just as large as a threshold."""

    videos: int
    classes: int
    truths: int
    detections: int
    on_grid: bool = False


KINDS = {
    "random": Kind(40, 6, 6, 40),
    "grid": Kind(30, 3, 12, 60, on_grid=True),
    "crowded": Kind(5, 2, 60, 400),
    "sparse": Kind(60, 30, 3, 4),
}


def made_up(kind: Kind, seed: int) -> tuple[Json, Json]:
    """Ground truth and detections as the files hold them.

    Some videos have no ground truth, no detection, or belong to another subset; some segments are there twice, empty
    or reversed; one class has no detection, another one is annotated once, the wrong way round. Scores differ.
    """
    rng = np.random.default_rng(seed)

    def segment(long: float) -> list[float]:
        start = rng.random() * 80
        both = np.array([start, start + rng.random() * long])
        return [float(time) for time in (both.round() if kind.on_grid else both)]

    database: Json = {}
    results: dict[str, list[Json]] = {}
    for number in range(kind.videos):
        spans = [segment(20) for _ in range(rng.integers(kind.truths + 1))]
        spans += spans[:1] if rng.random() < 0.2 else []
        spans += [[30.0, 30.0]] if rng.random() < 0.2 else []
        labels = [f"class {rng.integers(kind.classes)}" for _ in sorted(spans)]
        truths: list[Json] = [
            {"label": label, "segment": span} for label, span in zip(labels, sorted(spans), strict=True)
        ]
        if number == 0:
            truths = [{"label": "class 0", "segment": [9.0, 4.0]}, {"label": "class once", "segment": [7.5, 2.5]}]
        subset = "training" if rng.random() < 0.2 and number else "validation"
        database[f"v{number}"] = {"subset": subset, "duration": 100.0, "annotations": truths}
        entries = [
            {
                "label": f"class {rng.integers(1, kind.classes)}",
                "score": 0.7 * float(rng.random()),
                "segment": segment(20),
            }
            for _ in range(rng.integers(kind.detections + 1))
        ]
        for truth in truths:
            start, end = sorted(truth["segment"])
            near = np.array([start, end]) + rng.normal(size=2) * 0.1 * (end - start) * (rng.random() < 0.8)
            times = [float(time) for time in np.sort(np.maximum(near.round() if kind.on_grid else near, 0))]
            for _ in range(rng.integers(3)):
                label = truth["label"] if rng.random() < 0.9 else f"class {rng.integers(1, kind.classes)}"
                entries.append({"label": label, "score": float(rng.random()), "segment": times})
        results[f"v{number}"] = [entry for entry in entries if entry["label"] not in ("class 0", "class once")]
    del results["v1"]
    results["v2"] = []
    known = {
        truth["label"]
        for video in database.values()
        if video["subset"] == "validation"
        for truth in video["annotations"]
    }
    results = {name: [entry for entry in own if entry["label"] in known] for name, own in results.items()}
    return {"version": "VERSION 1.3", "taxonomy": [], "database": database}, as_result(results)


def moved(ground_truth: Json, seed: int) -> Json:
    """Detections of ActivityNet's validation videos: each truth moved three times, often under a wrong label."""
    rng = np.random.default_rng(seed)
    videos = {name: video for name, video in ground_truth["database"].items() if video["subset"] == "validation"}
    labels = sorted({truth["label"] for video in videos.values() for truth in video["annotations"]})
    results = {}
    for name, video in videos.items():
        own = []
        for truth in video["annotations"]:
            start, end = truth["segment"]
            for sigma in (0.03, 0.15, 0.4):
                times = np.sort(np.maximum(np.array([start, end]) + rng.normal(size=2) * sigma * (end - start), 0))
                label = truth["label"] if rng.random() < 0.8 else labels[rng.integers(len(labels))]
                score = float(rng.random() * (1 - sigma))
                own.append({"label": label, "score": score, "segment": [float(time) for time in times]})
        results[name] = own
    return as_result(results)


def as_result(results: dict[str, list[Json]]) -> Json:
    return {"version": "VERSION 1.3", "results": results, "external_data": {}}


def proposals_of(result: Json) -> Json:
    """Each segment of a video once, with its best score."""
    results = {}
    for name, own in result["results"].items():
        best: dict[tuple[float, float], float] = {}
        for entry in own:
            key = (entry["segment"][0], entry["segment"][1])
            best[key] = max(best.get(key, 0.0), entry["score"])
        results[name] = [{"score": score, "segment": list(key)} for key, score in best.items()]
    return as_result(results)


def case(name: str) -> tuple[Json, Json]:
    """Ground truth and detections of a case by its name, such as ``grid 1``."""
    if name == "mmaction2":
        truth, result = (json.loads((DATA / f"mmaction2_{part}.json").read_text()) for part in ("truth", "result"))
        return truth, result
    if name == "activitynet":
        ground_truth = json.loads(gzip.decompress(ACTIVITYNET.read_bytes()))
        return ground_truth, moved(ground_truth, 0)
    if name == "sample":
        ground_truth = json.loads(gzip.decompress(ACTIVITYNET.read_bytes()))
        return ground_truth, json.loads(gzip.decompress((DATA / "sample_detection_prediction.json.gz").read_bytes()))
    kind, seed = name.split()
    return made_up(KINDS[kind], int(seed))


CASES = [*(f"{kind} {seed}" for kind in KINDS for seed in range(2)), "mmaction2", "activitynet", "sample"]


@cache
def recorded() -> Json:
    figures: Json = json.loads((DATA / "official_figures.json").read_text())
    return figures


@pytest.fixture(params=CASES)
def official(request: pytest.FixtureRequest) -> tuple[str, Json, Json, Json]:
    """Name of a case, ground truth, detections, and the figures of the official toolkit."""
    return request.param, *case(request.param), recorded()["cases"][request.param]


@pytest.fixture
def tables() -> Callable[[str], tuple[Detections, Truth, int]]:
    """A case, its validation subset, as tables; with the number of its classes."""

    def make(name: str) -> tuple[Detections, Truth, int]:
        ground_truth, result = case(name)
        database = {
            video: entry for video, entry in ground_truth["database"].items() if entry["subset"] == "validation"
        }
        truths = [(video, truth) for video, entry in database.items() for truth in entry["annotations"]]
        found = [(video, entry) for video, own in result["results"].items() for entry in own]
        labels = sorted({truth["label"] for _, truth in truths})
        keys, truth_keys = (
            np.array([[video_number(video), labels.index(entry["label"])] for video, entry in rows]).reshape(-1, 2)
            for rows in (found, truths)
        )
        segments, truth_segments = (
            np.array([entry["segment"] for _, entry in rows], float).reshape(-1, 2) for rows in (found, truths)
        )
        scores = np.array([entry["score"] for _, entry in found], float)
        detections = Detections(keys[:, 0], keys[:, 1], segments, scores)
        return detections, Truth(truth_keys[:, 0], truth_keys[:, 1], truth_segments), len(labels)

    return make
