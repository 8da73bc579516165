"""What is said of how far trials are, where there is no terminal."""

import re

import pytest

from prompt_video.trials.progress import TrialsProgress


def test_a_line_for_each_tenth_once_a_stack_is_tested(capsys: pytest.CaptureFixture[str]) -> None:
    with TrialsProgress(40, 7, bar=True) as told:  # seven were there before
        for size in (3, 2, 8, 8, 8, 4):
            for _ in range(size):
                told.finished()
            told.say()
    lines = capsys.readouterr().out.splitlines()
    assert [int(re.findall(r"\d+", line)[0]) for line in lines] == [10, 12, 20, 28, 36, 40]
    assert all(re.fullmatch(r"trials: \d+ of 40 trials, \d+ s left", line) for line in lines[:-1])
    assert lines[-1] == "trials: 40 of 40 trials"


def test_nothing_is_said_where_nothing_shall_be(capsys: pytest.CaptureFixture[str]) -> None:
    with TrialsProgress(2, 0, bar=False) as told:
        told.finished()
        told.say()
    assert capsys.readouterr().out == ""
