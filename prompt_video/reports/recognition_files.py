"""What a recognition test leaves in its run folder: CSV files."""

from collections import Counter
from pathlib import Path
from typing import Any

from prompt_video.io.run_files import BY_CLASS, BY_VIDEO
from prompt_video.io.spreadsheet import write_rows
from prompt_video.model.none_of_these import NONE_OF_THESE
from prompt_video.tasks.classification_results import ClassificationResults


def write_recognition(folder: Path, suffix: str, results: ClassificationResults) -> None:
    """Write accuracy by class, every prediction, and the confusion matrix (rows: truth).

    Args:
        folder: for the files.
        suffix: of their names.
        results: of one test.
    """
    names, matrix = results.class_names, results.confusion()
    write_rows(folder / f"{BY_CLASS}{suffix}.csv", per_class(results))
    guesses = [
        {
            "video_id": video.video_id,
            "target": names[video.target] if video.target >= 0 else NONE_OF_THESE,
            "pred": names[video.pred],
            "probability": video.probability,
            "frozen_pred": names[video.frozen_pred],
            **({} if video.share is None else {"bank_share": video.share}),
        }
        for video in [*results.videos, *results.unknown]
    ]
    write_rows(folder / f"{BY_VIDEO}{suffix}.csv", guesses)
    rows = [
        {"truth": name, **dict(zip(names, row, strict=True))} for name, row in zip(names, matrix.tolist(), strict=True)
    ]
    write_rows(folder / f"confusion{suffix}.csv", rows)


def per_class(results: ClassificationResults) -> list[dict[str, Any]]:
    """Accuracy of each class beside that of the zero-shot model, with the class it is most often taken for.

    Args:
        results: of one test.
    """
    names, matrix = results.class_names, results.confusion()
    frozen_right = Counter(video.target for video in results.videos if video.frozen_pred == video.target)
    rows = []
    for index, name in enumerate(names):
        counts = matrix[index].clone()
        total, right = int(counts.sum()), int(counts[index])
        counts[index] = 0
        worst = int(counts.argmax())
        rows.append(
            {
                "class": name,
                "videos": total,
                "accuracy": round(right / total, 4) if total else "",
                "frozen_accuracy": round(frozen_right[index] / total, 4) if total else "",
                "taken_for": names[worst] if counts[worst] else "",
                "times": int(counts[worst]),
            }
        )
    return rows
