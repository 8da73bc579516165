"""Tables of a test, as CSV files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prompt_video.io.spreadsheet import write_table
from prompt_video.tasks.classification_results import ClassificationResults


def write_tables(folder: Path, suffix: str, outcome: ClassificationResults) -> None:
    """Accuracy by class, every prediction, and the confusion matrix (rows: truth).

    Args:
        folder: for the files.
        suffix: of their names.
        outcome: of one test.
    """
    names, matrix = outcome.class_names, outcome.confusion()
    write_csv(folder / f"per_class{suffix}.csv", per_class(outcome))
    guesses = [
        {
            "video_id": video.video_id,
            "target": names[video.target],
            "pred": names[video.pred],
            "probability": video.probability,
            "frozen_pred": names[video.frozen_pred],
        }
        for video in outcome.videos
    ]
    write_csv(folder / f"predictions{suffix}.csv", guesses)
    rows = [
        {"truth": name, **dict(zip(names, row, strict=True))} for name, row in zip(names, matrix.tolist(), strict=True)
    ]
    write_csv(folder / f"confusion{suffix}.csv", rows)


def per_class(outcome: ClassificationResults) -> list[dict[str, Any]]:
    """Accuracy of each class beside that of the frozen CLIP, with the class it is most often taken for.

    Args:
        outcome: of one test.
    """
    names, matrix = outcome.class_names, outcome.confusion()
    frozen_right = Counter(video.target for video in outcome.videos if video.frozen_pred == video.target)
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


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a row, the keys of the first row as header; nothing without rows."""
    if not rows:
        return
    write_table(path, list(rows[0]), (list(row.values()) for row in rows))
