"""What a recognition test has to show on a dashboard."""

from collections.abc import Mapping
from pathlib import Path

from prompt_video.reports.media import NUM_VIDEOS, Confusion, Shown, Table, VideoCell, half_wrong
from prompt_video.reports.recognition_files import per_class
from prompt_video.tasks.classification_results import ClassificationResults, Prediction


def recognition_shown(
    outcomes: Mapping[str, ClassificationResults], paths: Mapping[str, Mapping[str, Path]]
) -> dict[str, Shown]:
    """Confusion of every test; of all tests together, accuracy by class beside the frozen CLIP's, and some videos.

    Args:
        outcomes: of the tests, by name.
        paths: for each test, the files of its videos.
    """
    shown: dict[str, Shown] = {
        f"confusion/{name}": Confusion(o.class_names, o.confusion()) for name, o in outcomes.items()
    }
    classes = [{"test": name, **row} for name, outcome in outcomes.items() for row in per_class(outcome)]
    if not classes:
        return {}
    cells = [[None if cell == "" else cell for cell in row.values()] for row in classes]
    shown["tables/classes"] = Table(list(classes[0]), cells)
    videos = [
        [
            name,
            VideoCell(paths[name][video.video_id]),
            video.video_id,
            outcome.class_names[video.target],
            outcome.class_names[video.pred],
            outcome.class_names[video.frozen_pred],
            round(video.probability, 4),
            "right" if video.pred == video.target else "wrong",
        ]
        for name, outcome in outcomes.items()
        for video in _some(outcome, max(1, NUM_VIDEOS // len(outcomes)))
    ]
    columns = ["test", "video", "video_id", "truth", "prediction", "frozen_prediction", "probability", "verdict"]
    shown["tables/videos"] = Table(columns, videos)
    return shown


def _some(outcome: ClassificationResults, count: int) -> list[Prediction]:
    """Half of them wrong, each half spread over the classes."""
    by_class = sorted(outcome.videos, key=lambda video: video.target)
    right = [video for video in by_class if video.pred == video.target]
    return half_wrong(right, [video for video in by_class if video.pred != video.target], count)
