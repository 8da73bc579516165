"""The class names of known data sets, for use without the data."""

from collections.abc import Callable, Iterable
from pathlib import Path

from data_modules.errors import InputError

# What each holds.
CLASS_LISTS = {
    "hmdb51": "the 51 actions of HMDB-51",
    "ucf101": "the 101 actions of UCF-101",
    "clip-ucf101": "the same, as the authors of CLIP write them",
    "kinetics400": "the 400 actions of Kinetics-400",
    "kinetics600": "the 600 actions of Kinetics-600",
    "kinetics700": "the 700 actions of Kinetics-700",
    "ssv2": "the 174 templates of Something-Something v2",
    "thumos14": "the 20 actions of THUMOS14",
    "activitynet": "the 200 actions of ActivityNet 1.3",
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
    # Imported late: the names of the lists are told by commands that do nothing else with data sets.
    from data_modules.annotations import official_names
    from data_modules.annotations.kinetics_lists import KineticsLists

    if name.startswith("kinetics"):
        return KineticsLists(int(name.removeprefix("kinetics")), Path(), None).labels
    names: dict[str, Callable[[], Iterable[str]]] = {
        "hmdb51": official_names.hmdb51,
        "ucf101": lambda: map(official_names.words_of_capitals, official_names.ucf101_labels()),
        "clip-ucf101": official_names.ucf101_of_clip,
        "ssv2": official_names.ssv2,
        "thumos14": lambda: map(official_names.words_of_capitals, official_names.thumos14_labels()),
        "activitynet": lambda: map(official_names.words_of_activity, official_names.activitynet_labels()),
    }
    return tuple(names[name]())
