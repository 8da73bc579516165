"""What each class gains on the zero-shot model, from the tables that a run has written."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from prompt_video.io.run_files import BY_CLASS, TRIALS
from prompt_video.io.spreadsheet import text_of
from prompt_video.reports.comparison.rows import Row
from prompt_video.reports.comparison.runs import Run

# Of the tables by class: the learned model's, and the zero-shot model's.
COLUMNS = (
    ("accuracy", "frozen_accuracy"),
    ("average_precision", "frozen_average_precision"),
    ("clip_only", "frozen"),
)


@dataclass(frozen=True)
class ClassGain:
    """One class; figures are shares.

    Args:
        name: of the class.
        learned: accuracy or average precision, mean over seeds, trials and tests.
        frozen: the same of the zero-shot model.
    """

    name: str
    learned: float
    frozen: float

    @property
    def gain(self) -> float:
        """Accuracy, or average precision, of the learned model less that of the zero-shot model, in [-1, 1]."""
        return self.learned - self.frozen


def class_gains(row: Row) -> list[ClassGain]:
    """Of all classes that a row's runs have written figures of, largest gain first; runs of many trials have none.

    Raises:
        ValueError: when a table is damaged; the message names the file.
    """
    by_class: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for run in row.runs:
        for path in _tables(run):
            try:
                with path.open(newline="", encoding="utf-8") as file:
                    pairs = _pairs(file)
            except (KeyError, ValueError, TypeError, StopIteration) as error:
                raise ValueError(f"{path} is damaged: no figures of classes are shown") from error
            for name, pair in pairs.items():
                by_class[name].append(pair)
    gains = [
        ClassGain(name, mean(learned for learned, _ in pairs), mean(frozen for _, frozen in pairs))
        for name, pairs in by_class.items()
    ]
    return sorted(gains, key=lambda one: (-one.gain, one.name))


def _tables(run: Run) -> list[Path]:
    of_trials = sorted(run.folder.glob(f"{TRIALS}/*/{BY_CLASS}*.csv"))
    return of_trials or sorted(run.folder.glob(f"{BY_CLASS}*.csv"))


def _pairs(lines: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Accuracy, or average precision, of each class that has any, by the learned model and by the zero-shot model."""
    pairs = {}
    for row in csv.DictReader(lines):
        learned, frozen = next(names for names in COLUMNS if names[0] in row)
        if row[learned] and row[frozen]:
            pairs[text_of(row["class"])] = float(row[learned]), float(row[frozen])
    return pairs
