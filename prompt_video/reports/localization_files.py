"""What a localization test leaves in its run folder: result files, tables and subtitles."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_modules.annotations.activitynet_format import Detection, write_detections
from prompt_video.io.run_files import BY_CLASS, BY_VIDEO
from prompt_video.io.spreadsheet import write_rows, write_table
from prompt_video.localization.detection_files import write_csv, write_subtitles
from prompt_video.localization.selection import balanced_selection
from prompt_video.localization.verdicts import judge
from prompt_video.reports.localization import shown
from prompt_video.tasks.detection_results import CLIP_ONLY, FROZEN, DetectionResults


def write_detections_by(
    folder: Path, score: str, detections: Mapping[str, Sequence[Detection]], min_score: float, about: Mapping[str, Any]
) -> None:
    """Write the detections by one score as ActivityNet's JSON, as CSV, and as subtitles.

    Args:
        folder: gets a folder named as the score.
        score: which score the detections have.
        detections: of each video.
        min_score: of the detections that subtitles show.
        about: what made them, for the JSON.
    """
    place = folder / score
    place.mkdir(parents=True, exist_ok=True)
    write_detections(place / "detections.json", detections, {"score": score, **about})
    write_csv(place / "detections.csv", detections)
    write_subtitles(place / "subtitles", detections, min_score)


def write_localization(folder: Path, tests: Mapping[str, DetectionResults], about: Mapping[str, Any]) -> None:
    """Write the detections of every test and score and precision by class, a folder for each test if there are several.

    Args:
        folder: of the run.
        tests: by name.
        about: what made them: texts.
    """
    for name, results in tests.items():
        place = folder if len(tests) == 1 else folder / name
        min_score = shown(results).selection.min_score
        for score, detections in results.detections.items():
            write_detections_by(place, score, detections, min_score, about)
        _write_classes(place / f"{BY_CLASS}.csv", results)
        write_rows(place / f"{BY_VIDEO}.csv", by_video(results))


def by_video(results: DetectionResults) -> list[dict[str, Any]]:
    """What became of the actions of each video, by the detections that a report shows, beside the zero-shot model's.

    Args:
        results: of one test.
    """
    truth = results.truth()
    selected = {}
    for score in (CLIP_ONLY, FROZEN):
        selection = balanced_selection(results.detections[score], truth)
        selected[score] = {name: selection.of(own) for name, own in results.detections[score].items()}
    rows = []
    for video_id, video in truth.items():
        learned, frozen = (judge(selected[score][video_id], video.annotations) for score in (CLIP_ONLY, FROZEN))
        rows.append(
            {
                "video_id": video_id,
                "actions": len(video.annotations),
                "found": sum(learned.detected),
                "wrong": learned.right.count(False),
                "f1": round(learned.f1, 4),
                "frozen_f1": round(frozen.f1, 4),
            }
        )
    return rows


def _write_classes(path: Path, results: DetectionResults) -> None:
    """Average precision of each class by each score, averaged over the thresholds."""
    rows = ([name, *(f"{ap[name]:.6f}" for ap in results.class_ap.values())] for name in results.class_ap[FROZEN])
    write_table(path, ["class", *results.class_ap], rows)
