"""Media of a recognition test for a dashboard."""

from collections.abc import Mapping

from prompt_video.reports.media import NUM_VIDEOS, Confusion, MediaItem, Table, VideoCell
from prompt_video.reports.recognition import some_videos
from prompt_video.reports.recognition_files import per_class
from prompt_video.tasks.classification_results import ClassificationResults


def recognition_media(tests: Mapping[str, ClassificationResults]) -> dict[str, MediaItem]:
    """Confusion of every test; of all tests together, accuracy by class beside the zero-shot model's, and some videos.

    Args:
        tests: those that were scored, by name.
    """
    items: dict[str, MediaItem] = {
        f"confusion/{name}": Confusion(results.class_names, results.confusion()) for name, results in tests.items()
    }
    classes = [{"test": name, **row} for name, results in tests.items() for row in per_class(results)]
    cells = [[None if cell == "" else cell for cell in row.values()] for row in classes]
    items["tables/classes"] = Table(list(classes[0]), cells)
    videos = [
        [
            name,
            VideoCell(results.paths[video.video_id]),
            video.video_id,
            results.class_names[video.target],
            results.class_names[video.pred],
            results.class_names[video.frozen_pred],
            round(video.probability, 4),
            "right" if video.pred == video.target else "wrong",
        ]
        for name, results in tests.items()
        for video in some_videos(results, max(1, NUM_VIDEOS // len(tests)))
    ]
    columns = ["test", "video", "video_id", "truth", "prediction", "frozen_prediction", "probability", "verdict"]
    items["tables/videos"] = Table(columns, videos)
    return items
