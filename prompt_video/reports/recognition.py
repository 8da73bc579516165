"""What a test of recognition shows on a page: what probabilities are worth, confusions, and some videos."""

import numpy as np

from data_modules.errors import BrokenVideoError
from prompt_video.io.templates import render
from prompt_video.reports.confidence import confidence_sections
from prompt_video.reports.document import Note, Part, Plots, Section
from prompt_video.reports.figures import confusion
from prompt_video.reports.film_strip import film_strip, read_strip
from prompt_video.reports.media import half_wrong
from prompt_video.reports.tables import Cell, Column, Figure, Table
from prompt_video.tasks.classification_results import ClassificationResults, Prediction

MOST_PAIRS, MOST_CLASSES = 12, 16  # that are told of; files have all
NUM_VIDEOS = 12
NUM_FRAMES, FRAME_HEIGHT = 6, 96


def recognition_sections(results: ClassificationResults) -> list[Section]:
    """Probabilities, confusions and videos of one test that was scored."""
    sheet = render(
        "reports/recognition.html.jinja", videos=[_shown(results, video) for video in some_videos(results, NUM_VIDEOS)]
    )
    return [
        *confidence_sections(results),
        Section("Confusions", _confusions(results)),
        Section("Test videos", [Note("What they were taken for, with what probability; half of them wrongly."), sheet]),
    ]


def _confusions(results: ClassificationResults) -> list[Part]:
    names, matrix = results.class_names, results.confusion().numpy()
    wrong = matrix - np.diag(np.diag(matrix))
    if not wrong.any():
        return ["No class was taken for another."]
    order = np.argsort(-wrong, axis=None, kind="stable")[: min(MOST_PAIRS, np.count_nonzero(wrong))]
    pairs = [(int(truth), int(guess)) for truth, guess in zip(*np.unravel_index(order, wrong.shape), strict=True)]
    columns = [
        Column("true class", is_text=True),
        Column("taken for", is_text=True),
        Column("videos"),
        Column("of its videos", "%"),
    ]
    rows: list[list[Cell]] = [
        [names[truth], names[guess], str(wrong[truth, guess]), Figure(100 * wrong[truth, guess] / matrix[truth].sum())]
        for truth, guess in pairs
    ]
    table = Table("Confused most often", columns, rows)
    most = list(dict.fromkeys(place for pair in pairs for place in pair))[:MOST_CLASSES]
    shown = sorted(most) if len(names) > MOST_CLASSES else list(range(len(names)))
    note = f"{len(shown)} of {len(names)} classes; confusion.csv has all." if len(shown) < len(names) else ""
    shares = matrix[np.ix_(shown, shown)] / np.maximum(matrix[shown].sum(1, keepdims=True), 1)
    picture = confusion(shares, [names[place] for place in shown], "Share of each class that is taken for others", note)
    return [table, Plots([picture])]


def some_videos(results: ClassificationResults, count: int) -> list[Prediction]:
    """Half of them wrong, each half spread over the classes.

    Args:
        results: of one test.
        count: as many, or fewer where there are fewer.
    """
    by_class = sorted(results.videos, key=lambda video: video.target)
    right = [video for video in by_class if video.pred == video.target]
    return half_wrong(right, [video for video in by_class if video.pred != video.target], count)


def _shown(results: ClassificationResults, video: Prediction) -> dict[str, object]:
    try:
        image = film_strip(read_strip(results.paths[video.video_id], NUM_FRAMES, FRAME_HEIGHT).frames)
    except (BrokenVideoError, KeyError):
        image = None
    names = results.class_names
    return {
        "image": image,
        "truth": names[video.target],
        "pred": names[video.pred],
        "is_right": video.pred == video.target,
        "probability": f"{100 * video.probability:.0f} %",
    }
