"""What is said of how far trials are, where there is no terminal."""

import re

import pytest

from prompt_video.trials import progress
from prompt_video.trials.progress import TrialsProgress


def test_a_line_for_each_tenth_once_a_stack_is_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(progress.log, "info", lambda line, *parts: lines.append(line % parts))
    with TrialsProgress(40, 7, bar=True) as told:  # seven were there before
        for size in (3, 2, 8, 8, 8, 4):
            for _ in range(size):
                told.finished()
            told.say()
    assert [int(re.findall(r"\d+", line)[0]) for line in lines] == [10, 12, 20, 28, 36]
    assert all(re.fullmatch(r"\d+ of 40 trials are done, about \d+ s left", line) for line in lines)
