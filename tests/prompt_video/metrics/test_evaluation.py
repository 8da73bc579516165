"""All figures against those that the official toolkit gave for the same files; see data/README.md."""

import json
from pathlib import Path
from typing import Any

import pytest

from data_modules.annotations.activitynet_format import (
    AnnotatedVideo,
    Annotation,
    read_detections,
    read_ground_truth,
)
from prompt_video.metrics.evaluation import evaluate


def test_figures_of_the_official_toolkit(official: tuple[str, Any, Any, Any], tmp_path: Path) -> None:
    name, ground_truth, result, expected = official
    truth_path, result_path = tmp_path / "truth.json", tmp_path / "result.json"
    truth_path.write_text(json.dumps(ground_truth))
    result_path.write_text(json.dumps(result))
    videos = {key: video for key, video in read_ground_truth(truth_path).items() if video.subset == "validation"}
    evaluation = evaluate(videos, read_detections(result_path))
    figures = evaluation.figures
    found = [figures[f"map@{tiou:g}"] for tiou in evaluation.tious]
    assert found == pytest.approx(expected["map"], abs=1e-9)
    assert figures["map_avg"] == pytest.approx(expected["map_avg"], abs=1e-9)
    assert sorted(evaluation.per_class) == list(expected["per_class"])
    for label, ap in expected["per_class"].items():
        own = list(evaluation.per_class[label].values())
        # Of many classes only the average was recorded.
        assert (own[:-1] if len(ap) > 1 else own[-1:]) == pytest.approx(ap, abs=1e-9)
    # In the toolkit's sample all scores are equal, so that its own recall is one of several.
    near = 1e-3 if name == "sample" else 1e-9
    recalls = [expected["average_recall"][count - 1] for count in (1, 10, 100)]
    assert [figures[f"ar@{count}"] for count in (1, 10, 100)] == pytest.approx(recalls, abs=near)
    assert figures["auc"] == pytest.approx(expected["auc"], abs=near)


def test_nothing_detected() -> None:
    one = AnnotatedVideo("one", "validation", None, (Annotation("Zumba", 1.0, 2.0), Annotation("Diving", 2.0, 1.0)))
    none = AnnotatedVideo("none", "validation", 9.0, ())
    evaluation = evaluate({"one": one, "none": none}, {"one": ()}, [0.3, 0.5])
    assert evaluation.labels == ("Diving", "Zumba")
    assert evaluation.per_class["Zumba"] == {"ap@0.3": 0.0, "ap@0.5": 0.0, "ap_avg": 0.0}
    assert set(evaluation.figures.values()) == {0.0}
