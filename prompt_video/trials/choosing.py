"""Constants of a method chosen from short lists, on training videos that are held out: no test video is looked at."""

import logging
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from lightning.pytorch import Trainer, seed_everything
from torch import Tensor

from data_modules.errors import InputError
from data_modules.modules.base import VideoDataModule
from data_modules.protocols.trial import Trial
from prompt_video.model.examples import Examples
from prompt_video.tasks.base import VideoTextTask

log = logging.getLogger(__name__)

MOST_POINTS = 64
Values = Mapping[str, float]


@dataclass(frozen=True)
class Chosen:
    """What was chosen, and what all of the list came to.

    Args:
        values: of the settings.
        figure: what they were best in, on videos that were held out.
        scores: of all points of the lists, in their order.
    """

    values: Values
    figure: str
    scores: Sequence[tuple[Values, float]]

    def summary(self) -> dict[str, Any]:
        """Ready for JSON."""
        tried = [{**values, self.figure: score} for values, score in self.scores]
        return {"values": dict(self.values), "on": "training videos that were held out", "tried": tried}


@dataclass(frozen=True)
class Choosing:
    """How the constants of a method are chosen.

    Args:
        lists: values of each setting, such as ``prompt.alpha``; of equally good points the first is taken.
        make_task: a new task with some values.
        make_trainer: that trains and tests it, and leaves nothing behind.
    """

    lists: Mapping[str, Sequence[float]]
    make_task: Callable[[Values], VideoTextTask]
    make_trainer: Callable[[], Trainer]

    def choose(self, data: VideoDataModule, number: int) -> Chosen:
        """Train and test each point within the training videos of a trial.

        Args:
            data: with open feature stores.
            number: of the trial.

        Raises:
            InputError: when nothing can be held out, or nothing could be scored.
        """
        inner, seed = data.holding_out(number), data.seed_of(number)
        scores: list[tuple[Values, float]] = []
        same_videos = not any(name.startswith("temporal.") for name in self.lists)
        examples: Examples | None = None
        figure, trial = "", inner.trials[0]
        for values in points(self.lists):
            seed_everything(seed, verbose=False)
            task, trainer = self.make_task(values), self.make_trainer()
            task.with_controls = False
            if task.has_weights:
                trainer.fit(task, datamodule=inner)
            elif task.model.needs_examples:
                examples = task.collect_examples(inner, examples if same_videos else None)
            trainer.test(task, datamodule=inner, verbose=False)
            monitored = task.monitor.removeprefix("val/")
            figure = "hm" if trial.harmonic_means else monitored
            scores.append((values, held_out_figure(trainer.callback_metrics, trial, monitored)))
            log.info("held out: %s: %s %.3f", told(values), figure, scores[-1][1])
        best = max(range(len(scores)), key=lambda place: (scores[place][1], -place))
        log.info("chosen on training videos that were held out: %s", told(scores[best][0]))
        return Chosen(scores[best][0], f"held_out/{figure}", scores)


def held_out_figure(metrics: Mapping[str, Tensor], trial: Trial, figure: str) -> float:
    """What points are compared by: the figure of the only test, or the harmonic mean over those of base and novel.

    Args:
        metrics: of the test, by name.
        trial: of `held_out`.
        figure: that validation watches, such as ``top1``.

    Raises:
        InputError: when a test was not scored.
    """
    tests = [name for pair in trial.harmonic_means.values() for name in pair]
    names = [f"test/{name}/{figure}" for name in tests] or [f"test/{figure}"]
    if not all(name in metrics for name in names):
        raise InputError("choose: this method cannot score the classes that are held out; choose nothing.")
    return statistics.harmonic_mean([float(metrics[name]) for name in names])


def points(lists: Mapping[str, Sequence[float]]) -> list[Values]:
    """All combinations of the values of some settings.

    Raises:
        InputError: when a list is empty or holds no number, or there are too many combinations.
    """
    for name, values in lists.items():
        if not values or not all(math.isfinite(value) for value in values):
            raise InputError(f"choose: {name} needs a list of numbers, not {list(values)}.")
    if (count := math.prod(len(values) for values in lists.values())) > MOST_POINTS:
        raise InputError(f"choose: {count} combinations of settings are too many; {MOST_POINTS} is the most.")
    return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]


def with_values(settings: Any, values: Values) -> None:  # noqa: ANN401 - a namespace of the configuration
    """Write values into the settings of a task.

    Args:
        settings: ``class_path`` and ``init_args``, as the command line resolved them.
        values: by setting: ``text_consistency``, or ``prompt.alpha`` of a part.

    Raises:
        InputError: when there is no such setting.
    """
    for name, value in values.items():
        *parts, last = name.split(".")
        place = settings
        for part in parts:
            place = place.get("init_args", {}).get(part, {})
        if last not in place.get("init_args", {}):
            raise InputError(f"choose: the method has no setting '{name}'.")
        place["init_args"][last] = value


def told(values: Values) -> str:
    """Values for people: ``alpha 1, beta 5.5``."""
    return ", ".join(f"{name.rpartition('.')[2]} {value:g}" for name, value in values.items())
