"""Base-to-novel: trained on a few videos of one half of the classes, tested on both halves."""

from collections.abc import Sequence
from typing import Literal

from data_modules.errors import InputError
from data_modules.protocols.drawing import draw_by_class
from data_modules.protocols.open_set import known_names
from data_modules.protocols.protocol import Protocol, published, sizes
from data_modules.protocols.trial import DatasetIndex, Trial

HARMONIC = {"hm": ("base", "novel")}
HARMONIC_ALL = {"hm_all": ("base_all", "novel_all")}


class BaseToNovel(Protocol):
    """Tested: base classes among the base names, novel classes among the novel names, and the harmonic mean of both.

    Args:
        shots: training videos of each base class; null for all. Not used with published trials, which have 16.
        source: ``published`` lists, three trials with the same classes; or ``drawn``.
        base_classes: names of the base classes of drawn trials; null for the first half.
        num_trials: trials to draw; of published ones, how many of the first to run. Null for all that are published,
            or for one that is drawn.
        trials_seed: of the draws.
        among_all: score both halves also among the names of all classes, as in generalised zero-shot learning; the
            task is harder, since what was learned pulls novel videos to base names.

    Source: ``datasets_splits/base2novel_splits`` of muzairkhattak/ViFi-CLIP.
    """

    def __init__(
        self,
        shots: int | None = 16,
        source: Literal["published", "drawn"] = "published",
        base_classes: list[str] | None = None,
        num_trials: int | None = None,
        trials_seed: int = 0,
        among_all: bool = False,
    ) -> None:
        if (shots is not None and shots < 1) or (num_trials is not None and num_trials < 1):
            raise InputError("protocol: shots and num_trials must be 1 or more.")
        self.shots, self.source, self.base_classes = shots, source, base_classes
        self.num_trials, self.trials_seed, self.among_all = num_trials, trials_seed, among_all

    def trials(self, index: DatasetIndex, seed: int) -> Sequence[Trial]:
        """The published trials, or drawn ones."""
        if self.source == "published":
            trials = published(index, "base_to_novel", "With source: drawn trials are drawn.")[: self.num_trials]
        else:
            trials = [self._draw(index, number) for number in range(self.num_trials or 1)]
        return [self._among_all(trial) for trial in trials] if self.among_all else trials

    def _draw(self, index: DatasetIndex, number: int) -> Trial:
        names = list(index.class_names)
        base = names[: (len(names) + 1) // 2]
        if self.base_classes is not None:
            base = known_names(index, self.base_classes, "base_classes")
        novel = [name for name in names if name not in base]
        if not base or not novel:
            raise InputError("protocol: there must be base classes and novel ones.")
        train = index.subset("train").only(base)
        if (shots := self.shots) is not None:
            train = draw_by_class(train, lambda _: shots, self.trials_seed, number)
        val, test = index.subset("val").only(base), index.subset("test")
        tests = {"base": test.only(base), "novel": test.only(novel)}
        return Trial(f"draw {number}", train, tests, val if val.records else None, HARMONIC)

    def _among_all(self, trial: Trial) -> Trial:
        names = [*trial.tests["base"].class_names, *trial.tests["novel"].class_names]
        both = {f"{name}_all": subset.among(names) for name, subset in trial.tests.items()}
        return Trial(
            trial.name, trial.train, {**trial.tests, **both}, trial.val, {**trial.harmonic_means, **HARMONIC_ALL}
        )

    def describe(self, index: DatasetIndex, trials: Sequence[Trial]) -> str:
        """How many classes each half has, among which names they are tested, how many trials; and the videos."""
        first = trials[0]
        base, novel = (len(first.tests[name].class_names) for name in ("base", "novel"))
        also = "; both also among all names" if self.among_all else ""
        source = index.published_word if self.source == "published" else self.source
        several = f"{len(trials)} {source} trials" if len(trials) > 1 else f"one {source} trial"
        return (
            f"base-to-novel: {base} base classes are seen in training ({len(first.train.records):,} videos), {novel} "
            f"novel classes are not; each tested among its own names{also}; {several}; {sizes(first)} videos."
        )
