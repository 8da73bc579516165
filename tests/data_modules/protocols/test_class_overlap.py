"""Which classes of two lists have the same name, or nearly the same."""

import pytest

from data_modules.annotations.official_names import activitynet_labels, thumos14_labels
from data_modules.protocols.class_overlap import overlapping


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("PlayingGuitar", "playing guitar"),
        ("Basketball", "playing basketball"),
        ("BabyCrawling", "crawling baby"),
        ("BenchPress", "bench pressing"),
        ("shot_put", "Shotput"),
        ("jump ropes", "Jumping a rope"),
        ("Mooping floor", "mopping floor"),
        ("kick", "kick ball"),
        ("Fußball spielen", "fußball-spielen"),
        ("go", "GO!"),
        ("the", "The"),
    ],
)
def test_names_that_are_alike(name: str, other: str) -> None:
    assert overlapping([name], ["peeling an apple", other]) == {name: other}
    assert overlapping([other], [name]) == {other: name}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("moving left", "moving right"),
        ("shoot ball", "shoot bow"),
        ("playing", "playing chess"),
        ("sitting on the chair", "the stand on"),
        ("skipping", "jumping rope"),
        ("long jump", "high jump"),
        ("掃除", "料理"),
        ("kick", "flick-flack"),
    ],
)
def test_names_that_are_not(name: str, other: str) -> None:
    assert overlapping([name], [other]) == overlapping([other], [name]) == {}


def test_the_same_name_goes_before_one_that_is_nearly_it() -> None:
    others = ["volleyball spiking", "Volley ball", "volleyballs", "volleyball"]
    assert overlapping(["volleyball"], others) == {"volleyball": "Volley ball"}, "equal letters, the first of them"
    assert overlapping(["volleyball", "chess"], others[:1]) == {"volleyball": "volleyball spiking"}
    assert overlapping([], others) == overlapping(["volleyball"], []) == {}


def test_classes_of_thumos14_in_activitynet() -> None:
    found = overlapping(thumos14_labels(), activitynet_labels())
    assert found["ThrowDiscus"] == "Discus throw"
    assert sorted(set(thumos14_labels()) - set(found)) == [
        "BaseballPitch", "BasketballDunk", "Billiards", "CliffDiving", "FrisbeeCatch", "GolfSwing", "SoccerPenalty",
        "TennisSwing",
    ]  # fmt: skip
