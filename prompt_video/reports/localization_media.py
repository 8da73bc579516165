"""Media of a localization test for a dashboard."""

from collections.abc import Iterable, Mapping
from itertools import groupby

from data_modules.annotations.activitynet_format import Annotation, Detection
from prompt_video.reports.localization import shown, timelines
from prompt_video.reports.media import NUM_VIDEOS, Cell, MediaItem, Table, VideoCell
from prompt_video.reports.text_formatting import clock
from prompt_video.tasks.detection_results import DetectionResults

LEAD_SEC = 2.0  # of a clip, before the first action


def localization_media(tests: Mapping[str, DetectionResults]) -> dict[str, MediaItem]:
    """Average precision by class beside the zero-shot model's, some videos, and their timelines.

    Args:
        tests: by name.
    """
    from prompt_video.reports.timeline import timeline_picture  # imported late, as it says

    reported = {name: shown(results) for name, results in tests.items()}
    scores = list(dict.fromkeys(score for results in tests.values() for score in results.class_ap))
    classes: list[list[Cell]] = [
        [name, label, *(_rounded(results.class_ap.get(score, {}).get(label)) for score in scores)]
        for name, results in tests.items()
        for label in results.class_ap[scores[0]]
    ]
    videos: list[list[Cell]] = []
    pictures: list[list[Cell]] = []
    for name, results in tests.items():
        test, truth, paths = reported[name], results.truth(), results.paths()
        for timeline in timelines(test):
            pictures.append([name, timeline.title, timeline.note, timeline_picture(timeline)])
        for timeline in timelines(test, max(1, NUM_VIDEOS // len(tests))):
            true = truth[timeline.title].annotations
            start = min((action.start_sec for action in true), default=0.0) - LEAD_SEC
            cell = VideoCell(paths[timeline.title], max(start, 0.0))
            videos.append([name, cell, timeline.title, _told(true), _told(timeline.detections), timeline.note])
    return {
        "tables/classes": Table(["test", "class", *scores], classes),
        "tables/videos": Table(["test", "video", "video_id", "truth", "prediction", "verdict"], videos),
        "tables/timelines": Table(["test", "video_id", "verdict", "timeline"], pictures),
    }


def _told(actions: Iterable[Annotation | Detection]) -> str:
    """Actions in words, in the order of time: ``jump 0:03-0:05, 0:09-0:12; run 0:01-0:02``."""
    ordered = sorted(actions, key=lambda action: (action.label, action.start_sec))
    told = []
    for label, own in groupby(ordered, key=lambda action: action.label):
        told.append(f"{label} " + ", ".join(f"{clock(a.start_sec)}-{clock(a.end_sec)}" for a in own))
    return "; ".join(told)


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 4)
