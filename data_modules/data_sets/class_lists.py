"""The class names of known data sets, for use without the data."""

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
    from data_modules.annotations.kinetics_lists import KineticsLists
    from data_modules.data_sets import activitynet, hmdb51, something_something, thumos14, ucf101

    if name.startswith("kinetics"):
        return KineticsLists(int(name.removeprefix("kinetics")), Path(), None).labels
    if name == "hmdb51":
        return hmdb51.class_names()
    if name == "clip-ucf101":
        return ucf101.names_of_clip()
    if name == "ssv2":
        return something_something.read_labels()
    module = {"ucf101": ucf101, "thumos14": thumos14, "activitynet": activitynet}[name]
    return tuple(map(module.natural, module.read_labels()))
