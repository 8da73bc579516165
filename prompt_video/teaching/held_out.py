"""What became of the examples while each of them was held out: right ones, confusions, and which classes are alike."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from prompt_video.io.run_files import BY_VIDEO
from prompt_video.io.spreadsheet import text_of

OFTEN = 1 / 3  # of the held-out examples of a class that are taken for another one: then the two are too alike
TWICE = 2  # times at least


class HeldOut(NamedTuple):
    """One example, and what a model that never saw it took it for."""

    clip: str
    truth: str
    taken_for: str
    probability: float


class Confusion(NamedTuple):
    """A class that is taken for another one."""

    truth: str
    taken_for: str
    times: int
    of: int

    @property
    def is_often(self) -> bool:
        """Whether the two are too alike for these examples."""
        return self.times >= TWICE and self.times >= OFTEN * self.of


@dataclass(frozen=True)
class Figures:
    """Of all examples that were held out.

    Args:
        examples: each once.
        folds: how often a part of them was held out.
    """

    examples: Sequence[HeldOut]
    folds: int

    @property
    def right(self) -> int:
        """How many were named rightly."""
        return sum(one.truth == one.taken_for for one in self.examples)

    @property
    def sureness(self) -> float:
        """Mean probability of the right ones, wrong ones being 0: it decides between methods that have equally many."""
        return sum(one.probability for one in self.examples if one.truth == one.taken_for) / len(self.examples)

    def of_class(self, name: str) -> tuple[int, int]:
        """Right ones of a class, and all of it."""
        own = [one.taken_for == name for one in self.examples if one.truth == name]
        return sum(own), len(own)

    def confusions(self) -> list[Confusion]:
        """Which class was taken for which, the most frequent first."""
        total = Counter(one.truth for one in self.examples)
        pairs = Counter((one.truth, one.taken_for) for one in self.examples if one.truth != one.taken_for)
        return [Confusion(*pair, times, total[pair[0]]) for pair, times in pairs.most_common()]

    def describe(self) -> str:
        """In words, with how they were held out."""
        kind = "each held out alone" if self.folds == len(self.examples) else f"held out in {self.folds} folds"
        return f"{self.right} of {len(self.examples)} held-out examples are named rightly ({kind})"


def read_held_out(run: Path, folds: int) -> Figures:
    """What a run of folds left.

    Args:
        run: its folder.
        folds: of it.
    """
    with (run / f"{BY_VIDEO}.csv").open(newline="", encoding="utf-8") as file:
        rows = [
            HeldOut(text_of(r["video_id"]), text_of(r["target"]), text_of(r["pred"]), float(r["probability"]))
            for r in csv.DictReader(file)
        ]
    return Figures(rows, folds)
