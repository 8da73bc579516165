"""Few-shot: a handful of videos of every class."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from data_modules.errors import InputError
from data_modules.protocols.drawing import draw_by_class, draw_names
from data_modules.protocols.protocol import Protocol, published, sizes
from data_modules.protocols.trial import DatasetIndex, Subset, Trial


class FewShot(Protocol):
    """K videos of every class to learn from, of all classes or of a few that each trial draws.

    With ``source="published"`` the lists are those that published numbers stand on: the paper's 200 trials of 5 ways
    and 5 shots, its 10 samplings of 5 shots of all classes, and the lists of 2, 4, 8 and 16 shots of all classes that
    later work shares. With ``source="drawn"`` they are drawn, for any data set and any K.

    Args:
        shots: training videos of each class.
        ways: classes of a trial; null for all.
        source: where the lists come from.
        num_trials: trials to draw; of published ones, how many of the first to run. Null for all that are published,
            or for one that is drawn.
        trials_seed: of the draws; runs with different seeds but the same ``trials_seed`` share their trials.

    Source: splits of ju-chen/Efficient-Prompt (5 shots), of muzairkhattak/ViFi-CLIP (2, 4, 8 and 16).
    """

    def __init__(
        self,
        shots: int = 5,
        ways: int | None = None,
        source: Literal["published", "drawn"] = "published",
        num_trials: int | None = None,
        trials_seed: int = 0,
    ) -> None:
        if shots < 1 or (ways is not None and ways < 2) or (num_trials is not None and num_trials < 1):
            raise InputError("protocol: shots and num_trials must be 1 or more, and ways 2 or more.")
        self.shots, self.ways, self.source = shots, ways, source
        self.num_trials, self.trials_seed = num_trials, trials_seed

    @property
    def published_name(self) -> str:
        """What such published trials are called."""
        return f"{self.shots}shot" if self.ways is None else f"{self.ways}way_{self.shots}shot"

    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """The published trials, or drawn ones."""
        if self.source == "published":
            trials = published(index, self.published_name, "With source: drawn trials are drawn.")
            if self.num_trials is not None and self.num_trials > len(trials):
                raise InputError(f"protocol: num_trials is {self.num_trials}, and {len(trials)} are published.")
            return trials[: self.num_trials]
        return [self._draw(index, number) for number in range(self.num_trials or 1)]

    def _draw(self, index: DatasetIndex, number: int) -> Trial:
        train, test = index.subset("train"), index.subset("test")
        if self.ways is not None:
            if self.ways > len(index.class_names):
                raise InputError(f"protocol: {self.ways} ways of a data set of {len(index.class_names)} classes.")
            # The first number keeps these draws apart from those of the videos.
            names = draw_names(index.class_names, self.ways, self.trials_seed, 1, number)
            train, test = train.only(names), test.only(names)
        _check_enough(train, self.shots)
        support = draw_by_class(train, lambda _: self.shots, self.trials_seed, 2, number)
        return Trial(f"draw {number}", support, {"test": test})

    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """How many videos of how many classes, where they come from, how many trials; and the videos."""
        first = trials[0]
        names, shots = len(first.train.class_names), len(first.train.records)
        ways = "all" if self.ways is None else f"drawn out of {_drawn_from(trials)}"
        source = index.published_word if self.source == "published" else self.source
        draws = f"{len(trials)} {source} trial{'s' if len(trials) > 1 else ''}"
        return (
            f"few-shot: {shots} training videos of {names} classes ({ways}), no others; {draws}; "
            f"{sizes(first)} videos{' in the first' if len(trials) > 1 else ''}."
        )


def _drawn_from(trials: Sequence[Trial]) -> int:
    return len({name for trial in trials for name in trial.train.class_names})


def _check_enough(train: Subset, shots: int) -> None:
    if several := next((record for record in train.records if len(record.targets) != 1), None):
        raise InputError(
            f"protocol: FewShot draws {shots} videos of each class, and {several.video_id} shows "
            f"{len(several.targets)} classes, so that it would be a shot of each; take another protocol."
        )
    have = Counter(target for record in train.records for target in record.targets)
    for target, name in enumerate(train.class_names):
        if have[target] < shots:
            raise InputError(
                f"protocol: {shots} shots are asked for, and class '{name}' has {have[target]} training videos."
            )
