"""Classes of known data sets as their packaged lists write them, and in plain English; in label order."""

import json
import re

from data_modules.annotations.published_lists import LISTS
from data_modules.files.text_files import read_text

# Where the words are not those that the capitals show.
_OF_CAPITALS = {
    "HandstandPushups": "handstand push ups",
    "Shotput": "shot put",
    "SkateBoarding": "skateboarding",
    "Skijet": "jet ski",
    "SkyDiving": "skydiving",
    "WallPushups": "wall push ups",
    "YoYo": "yo-yo",
}
_OF_HMDB51 = {"pullup": "pull up", "pushup": "push up", "situp": "sit up"}
# Words that are misspelt or not English.
_OF_ACTIVITYNET = {
    "Mooping floor": "mopping floor",
    "Plataform diving": "platform diving",
    "Playing flauta": "playing flute",
    "Playing guitarra": "playing guitar",
    "Polishing forniture": "polishing furniture",
}


def hmdb51_of_paper() -> dict[str, str]:
    """As the paper's code writes them, by label."""
    names: dict[str, str] = json.loads(read_text(LISTS / "hmdb51" / "class_names.json"))
    return names


def hmdb51() -> tuple[str, ...]:
    """In plain English."""
    return tuple(_OF_HMDB51.get(label, label.replace("_", " ")) for label in hmdb51_of_paper())


def words_of_capitals(label: str) -> str:
    """The words of a class name of UCF-101 or THUMOS14, such as "apply eye makeup" for ``ApplyEyeMakeup``."""
    return _OF_CAPITALS.get(label) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label).lower()


def ucf101_labels() -> tuple[str, ...]:
    """As the official lists write them."""
    lines = read_text(LISTS / "ucf101" / "classInd.txt").split("\n")
    return tuple(line.split()[1] for line in lines if line.strip())


def ucf101_of_clip() -> tuple[str, ...]:
    """As CLIP's authors write them, in label order, which is not theirs.

    Source: ``data/prompts.md`` of openai/CLIP.
    """
    lines = read_text(LISTS / "ucf101" / "clip_class_names.txt").split("\n")[:-1]
    name_of = {name.replace(" ", "").lower(): name for name in lines}
    return tuple(name_of[label.lower()] for label in ucf101_labels())


def thumos14_labels() -> tuple[str, ...]:
    """As the official files write them."""
    return tuple(line.split()[1] for line in read_text(LISTS / "thumos14" / "class_index.txt").splitlines())


def activitynet_labels() -> tuple[str, ...]:
    """As the official file writes them."""
    return tuple(read_text(LISTS / "activitynet" / "label_map.txt").splitlines())


def words_of_activity(label: str) -> str:
    """An activity of ActivityNet in lower case, as CLIP reads it, and in English."""
    return _OF_ACTIVITYNET.get(label) or label.lower()


def ssv2() -> tuple[str, ...]:
    """The templates of Something-Something v2 without brackets."""
    return tuple(read_text(LISTS / "ssv2" / "label_map.txt").split("\n")[:-1])
