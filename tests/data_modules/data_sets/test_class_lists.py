"""Class names without the data."""

import pytest

from data_modules.data_sets.class_lists import CLASS_LISTS, class_list
from data_modules.errors import InputError

SIZES = {
    "hmdb51": 51,
    "ucf101": 101,
    "clip-ucf101": 101,
    "kinetics400": 400,
    "kinetics600": 600,
    "kinetics700": 700,
    "ssv2": 174,
    "thumos14": 20,
    "activitynet": 200,
}


def test_every_list_has_all_classes_once() -> None:
    assert {name: len(set(class_list(name))) for name in CLASS_LISTS} == SIZES


def test_names_are_plain_english() -> None:
    assert "apply eye makeup" in [name.lower() for name in class_list("ucf101")]
    assert "pull up" in class_list("hmdb51")
    assert not any("_" in name for name in (*class_list("hmdb51"), *class_list("thumos14")))


def test_an_unknown_list_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no class list 'k401'; there are: hmdb51"):
        class_list("k401")
