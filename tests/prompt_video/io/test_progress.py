"""How far something is: on a terminal of eighty columns, and in a log file."""

import re
import time

import pytest

from prompt_video.io.progress import Steps, duration


def test_a_log_file_gets_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with Steps("labelling", 40, "videos") as steps:
        for _ in range(40):
            steps.advance(beside="x.mp4")
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert len(lines) == 10
    assert re.fullmatch(r"labelling: 4 of 40 videos, \d+ s left; x\.mp4", lines[0])
    assert lines[-1] == "labelling: 40 of 40 videos; x.mp4"
    assert said.out == ""


def test_a_log_file_is_not_filled_by_what_is_soon_done(capsys: pytest.CaptureFixture[str]) -> None:
    with Steps("one", 1, "video", stdout=True) as one, Steps("all", 40, "batches", stdout=True, every_sec=10.0) as many:
        for number in range(40):
            one.to(number / 40)
            many.advance()
        one.to(1)
    with Steps("nothing", 40, "videos", show=False) as silent:
        silent.advance(40)
        silent.say()
    said = capsys.readouterr()
    assert said.out + said.err == ""


def test_what_takes_long_is_told_in_between(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("prompt_video.io.progress.time.monotonic", lambda: now)
    with Steps("epoch 1/2", None, "batches", stdout=True) as unknown, Steps("two", 2, "videos", stdout=True) as two:
        now += 61
        unknown.to(7, "loss 0.5")
        two.to(0.5)
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1/2: 7 batches; loss 0.5",
        "two: 0 of 2 videos, 3 min left",
    ]


def test_the_bar_fits_a_terminal_counts_and_tells_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    with Steps("epoch 1/20", 20_000, "batches", start=10_000) as steps:
        for number in range(10_000, 20_001, 100):
            steps.to(number, "loss 0.531  top1 0.812  " * 3, "epoch 11/20, validation")
            if number % 5000 == 0:
                assert steps._progress is not None
                steps._progress.refresh()
    drawn = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", capsys.readouterr().err)]
    bars = [line for line in drawn if "epoch" in line]
    assert all(len(line) <= 80 for line in bars)
    assert any("15,000/20,000" in line for line in bars)
    assert not any("--" in line for line in bars)


def test_the_bar_moves_by_the_clock_while_nothing_can_be_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prompt_video.io.progress.TICK_SEC", 0.01)
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    with Steps("measuring", 100, "%") as steps, steps.meanwhile(40, 0.02, "text path"):
        time.sleep(0.2)
        on_the_way = steps.done
        steps._progress.refresh() if steps._progress else None
    assert (on_the_way, steps.done) == (0.95 * 40, 40)
    assert "text path" in (drawn := capsys.readouterr().err)
    assert "38 %" in drawn
    with Steps("measuring", 100, "%", show=False) as silent, silent.meanwhile(40, 0.0):
        pass
    assert silent.done == 40
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("seconds", "told"), [(0.2, "0 s"), (99, "99 s"), (100, "2 min"), (7500, "2 h 05 min")])
def test_durations(seconds: int | float, told: str) -> None:
    assert duration(seconds) == told
