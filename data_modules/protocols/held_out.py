"""A part of the training videos as a test: what constants are chosen on, so that no test video is looked at."""

from collections import Counter

from data_modules.errors import InputError
from data_modules.protocols.base_to_novel import HARMONIC
from data_modules.protocols.drawing import draw_by_class, draw_names
from data_modules.protocols.trial import Subset, Trial

HELD_CLASSES = 1 / 3  # of the training classes of an open-set trial


def held_out(trial: Trial, seed: int) -> Trial:
    """The same trial within its training videos.

    Where all tested classes are trained on, one video of each class is held out, and tested. In open set a third of the
    training classes is held out too, whose videos are the novel ones; figures are then ``base``, ``novel`` and their
    harmonic mean.

    Args:
        trial: whose training videos are divided; its tests are not looked at.
        seed: of the draws.

    Raises:
        InputError: when a class has no video to spare, or there are too few classes.
    """
    train, names = trial.train, trial.train.class_names
    if not is_open(trial):
        rest, tested = one_of_each(train, seed)
        return Trial(f"{trial.name}, held out", rest, {"test": tested})
    count = round(len(names) * HELD_CLASSES)
    if count < 2 or len(names) - count < 2:
        raise InputError(f"{len(names)} training classes are too few to hold some of them out; choose nothing.")
    novel = draw_names(names, count, seed, 7)
    base = [name for name in names if name not in novel]
    rest, tested = one_of_each(train.only(base), seed)
    return Trial(f"{trial.name}, held out", rest, {"base": tested, "novel": train.only(novel)}, None, HARMONIC)


def is_open(trial: Trial) -> bool:
    """Whether a test has classes that training does not show."""
    seen = set(trial.train.class_names)
    return any(not seen.issuperset(test.class_names) for test in trial.tests.values())


def one_of_each(train: Subset, seed: int) -> tuple[Subset, Subset]:
    """All but one video of each class, and those.

    Raises:
        InputError: when a class has one video only.
    """
    have = Counter(target for record in train.records for target in record.targets)
    if alone := next((name for target, name in enumerate(train.class_names) if have[target] < 2), None):
        raise InputError(
            f"the class '{alone}' has {have[train.class_names.index(alone)]} training video, and one of each class is "
            "to be held out to choose settings by: add one, or keep the settings as they are with --choose null."
        )
    tested = draw_by_class(train, lambda _: 1, seed, 8)
    return train.without(tested.ids), tested
