"""What is said of how far trials are, where there is no terminal."""

import logging
import re

import pytest

from prompt_video.trials import progress
from prompt_video.trials.progress import TrialsProgress


def test_a_line_for_each_tenth_once_a_stack_is_tested(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("prompt_video"), "propagate", True)
    monkeypatch.setattr(progress.log, "disabled", False)
    caplog.set_level(logging.INFO, progress.log.name)
    with TrialsProgress(40, 7, bar=True) as told:  # seven were there before
        for size in (3, 2, 8, 8, 8, 4):
            for _ in range(size):
                told.finished()
            told.say()
    lines = [record.getMessage() for record in caplog.records]
    assert [int(re.findall(r"\d+", line)[0]) for line in lines] == [10, 12, 20, 28, 36]
    assert all(re.fullmatch(r"\d+ of 40 trials are done, about \d+ s left", line) for line in lines)
