"""The class names of known data sets, for use without the data."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from data_modules import activitynet, hmdb51, something_something, thumos14, ucf101
from data_modules.annotations.kinetics_lists import KineticsLists
from data_modules.errors import InputError


def _kinetics(version: int) -> tuple[str, ...]:
    return KineticsLists(version, Path(), None).labels


CLASS_LISTS: dict[str, Callable[[], tuple[str, ...]]] = {
    "hmdb51": hmdb51.class_names,
    "ucf101": lambda: tuple(map(ucf101.natural, ucf101.read_labels())),
    "kinetics400": partial(_kinetics, 400),
    "kinetics600": partial(_kinetics, 600),
    "kinetics700": partial(_kinetics, 700),
    "ssv2": something_something.read_labels,
    "thumos14": lambda: tuple(map(thumos14.natural, thumos14.read_labels())),
    "activitynet": lambda: tuple(map(activitynet.natural, activitynet.read_labels())),
}


def class_list(name: str) -> tuple[str, ...]:
    """The classes of a data set in plain English, in label order.

    Args:
        name: one of `CLASS_LISTS`.

    Raises:
        InputError: when there is no such list.
    """
    if name not in CLASS_LISTS:
        raise InputError(f"there is no class list '{name}'; there are: {', '.join(CLASS_LISTS)}.")
    return CLASS_LISTS[name]()
