"""Figures of examples that were held out."""

import torch

from prompt_video.teaching.alike import Likeness
from prompt_video.teaching.held_out import Figures, HeldOut


def test_confusions_are_counted_and_those_that_are_often_said_with_their_likeness() -> None:
    a = [HeldOut(f"a{number}", "a", "b" if number < 2 else "a", 0.5) for number in range(5)]
    b = [HeldOut(f"b{number}", "b", "b" if number else "c", 1.0) for number in range(5)]
    figures = Figures([*a, *b], 5)
    assert figures.right == 7
    assert figures.sureness == (3 * 0.5 + 4) / 10
    assert figures.of_class("a") == (3, 5)
    assert [tuple(one) for one in figures.confusions()] == [("a", "b", 2, 5), ("b", "c", 1, 5)]
    assert [one.is_often for one in figures.confusions()] == [True, False]
    assert figures.describe() == "7 of 10 held-out examples are named rightly (held out in 5 folds)"
    assert Figures(a, 5).describe().endswith("(each held out alone)")
    cosines = torch.tensor([[1.0, 0.9, 0.1], [0.9, 1.0, 0.2], [0.1, 0.2, 1.0]])
    told = Likeness(["a", "b", "c"], cosines, cosines / 2).told(figures.confusions()[0])
    assert "2 of 5 held-out ones of the first" in told
    assert "names 0.90 (0.40), of their clips 0.45 (0.20)" in told
