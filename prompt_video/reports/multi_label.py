"""What a test of several labels a video leaves for people: files, some videos on a page, tables for a dashboard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_modules.annotations.list_files import BETWEEN_LABELS
from data_modules.errors import BrokenVideoError
from prompt_video.io.run_files import BY_CLASS, BY_VIDEO
from prompt_video.io.spreadsheet import write_rows
from prompt_video.io.templates import render
from prompt_video.reports.document import Note, Section
from prompt_video.reports.film_strip import film_strip, read_strip
from prompt_video.reports.media import NUM_VIDEOS, Cell, MediaItem, Table, VideoCell, half_wrong
from prompt_video.reports.recognition import FRAME_HEIGHT, NUM_FRAMES
from prompt_video.reports.recognition import NUM_VIDEOS as SHOWN_VIDEOS
from prompt_video.tasks.multi_label_results import LabelledVideo, MultiLabelResults


def multi_label_sections(results: MultiLabelResults) -> list[Section]:
    """Some videos of one test that was scored."""
    words = (
        f"The classes that each was found to show, with their probabilities: those from {results.threshold:g} on; half "
        "of the videos with a mistake."
    )
    videos = [_on_page(results, video) for video in some_videos(results, SHOWN_VIDEOS)]
    return [Section("Test videos", [Note(words), render("reports/multi_label.html.jinja", videos=videos)])]


def write_multi_label(folder: Path, suffix: str, results: MultiLabelResults) -> None:
    """Write average precision by class, and what each video shows and was found to show.

    Args:
        folder: for the files.
        suffix: of their names.
        results: of one test.
    """
    write_rows(folder / f"{BY_CLASS}{suffix}.csv", per_class(results))
    write_rows(folder / f"{BY_VIDEO}{suffix}.csv", [_row(results, video) for video in results.videos])


def multi_label_media(tests: Mapping[str, MultiLabelResults]) -> dict[str, MediaItem]:
    """Average precision by class beside the zero-shot model's, and some videos, of all tests together.

    Args:
        tests: those that were scored, by name.
    """
    classes = [{"test": name, **row} for name, results in tests.items() for row in per_class(results)]
    cells = [[None if cell == "" else cell for cell in row.values()] for row in classes]
    videos: list[list[Cell]] = [
        [name, VideoCell(results.paths[video.video_id]), *_row(results, video).values()]
        for name, results in tests.items()
        for video in some_videos(results, max(1, NUM_VIDEOS // len(tests)))
    ]
    columns = ["test", "video", "video_id", "truth", "prediction", "probability"]
    return {"tables/classes": Table(list(classes[0]), cells), "tables/videos": Table(columns, videos)}


def per_class(results: MultiLabelResults) -> list[dict[str, Any]]:
    """Average precision of each class beside that of the zero-shot model; empty where no video shows the class."""
    counts = [sum(bool(video.shown[k]) for video in results.videos) for k in range(len(results.class_names))]
    columns = (results.average_precision(column).tolist() for column in ("learned", "frozen"))
    return [
        {
            "class": name,
            "videos": count,
            "average_precision": round(learned, 4) if count else "",
            "frozen_average_precision": round(frozen, 4) if count else "",
        }
        for name, count, learned, frozen in zip(results.class_names, counts, *columns, strict=True)
    ]


def some_videos(results: MultiLabelResults, count: int) -> list[LabelledVideo]:
    """Half of them with a mistake, each half spread over the test.

    Args:
        results: of one test.
        count: as many, or fewer where there are fewer.
    """
    right = [bool(((video.learned >= results.threshold) == video.shown).all()) for video in results.videos]
    pairs = list(zip(results.videos, right, strict=True))
    return half_wrong(
        [video for video, is_right in pairs if is_right], [video for video, is_right in pairs if not is_right], count
    )


def _row(results: MultiLabelResults, video: LabelledVideo) -> dict[str, str]:
    """What a video shows and was found to show, with the probabilities of the latter."""
    named = results.named(video)
    return {
        "video_id": video.video_id,
        "target": _joined(results.class_names, video.shown.nonzero().flatten().tolist()),
        "pred": _joined(results.class_names, named),
        "probability": BETWEEN_LABELS.join(f"{video.learned[k].item():.4f}" for k in named),
    }


def _joined(names: Sequence[str], places: Sequence[int]) -> str:
    return BETWEEN_LABELS.join(names[place] for place in places)


def _on_page(results: MultiLabelResults, video: LabelledVideo) -> dict[str, object]:
    try:
        image = film_strip(read_strip(results.paths[video.video_id], NUM_FRAMES, FRAME_HEIGHT).frames)
    except (BrokenVideoError, KeyError):
        image = None
    names, named = results.class_names, results.named(video)
    missed = [k for k in video.shown.nonzero().flatten().tolist() if k not in named]
    return {
        "image": image,
        "missed": ", ".join(names[k] for k in missed),
        "named": [
            {"name": names[k], "is_right": bool(video.shown[k]), "probability": f"{100 * video.learned[k]:.0f} %"}
            for k in named
        ],
    }
