"""Runs of the demo in processes of their own: when their turn comes, what comes back, and what ends them."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from data_modules.errors import InputError
from prompt_video.demo import sizes
from prompt_video.demo.program import Demo
from prompt_video.demo.running import Run, Stage, finished
from prompt_video.experiment.settings import read_settings


def made_up(method: str, folder: Path) -> Run:
    return Run("demo_closed", method, 0, "small", folder / method)


def leave_a_trace(run: Run) -> tuple[str, int, float, float]:
    """Who ran it, and from when to when."""
    since = time.monotonic()
    time.sleep(0.3)
    return run.method, os.getpid(), since, time.monotonic()


def make_a_mistake(run: Run) -> None:
    raise InputError(f"{run.method} has been mistaken.")


def be_killed(run: Run) -> None:
    os.kill(os.getpid(), 9)


def test_runs_wait_for_what_they_need_and_go_on_beside_each_other(tmp_path: Path) -> None:
    first, second, third, fourth = (made_up(name, tmp_path) for name in ("a", "b", "c", "d"))
    stages = [
        Stage(third, leave_a_trace, frozenset({second}), 1.0),
        Stage(first, leave_a_trace, frozenset(), 1.0),
        Stage(second, leave_a_trace, frozenset(), 1.0),
        Stage(fourth, leave_a_trace, frozenset({first, third}), 1.0),
    ]
    progress: list[float] = []
    outcomes = {stage.run.method: outcome for stage, outcome, _ in finished(stages, progress.append)}
    assert set(outcomes) == {"a", "b", "c", "d"}
    assert all(outcome[0] == name for name, outcome in outcomes.items())
    assert os.getpid() not in {outcome[1] for outcome in outcomes.values()}
    begins, ends = ({name: outcome[place] for name, outcome in outcomes.items()} for place in (2, 3))
    assert begins["c"] >= ends["b"]
    assert begins["d"] >= max(ends["a"], ends["c"])
    if (os.cpu_count() or 1) > 1:
        assert begins["b"] < ends["a"]
        assert begins["a"] < ends["b"]
    assert progress == sorted(progress)
    assert 0 < progress[0] < progress[-1] == 4.0


def test_a_mistake_in_a_run_ends_the_demo_with_its_message(tmp_path: Path) -> None:
    stages = [Stage(made_up("a", tmp_path), make_a_mistake, frozenset(), 1.0)]
    with pytest.raises(InputError, match="a has been mistaken"):
        list(finished(stages, lambda _: None))


def test_a_process_that_is_killed_is_said(tmp_path: Path) -> None:
    stages = [Stage(made_up("a", tmp_path), be_killed, frozenset(), 1.0)]
    with pytest.raises(InputError, match="want of memory"):
        list(finished(stages, lambda _: None))


@pytest.mark.parametrize("size", ["small", pytest.param("full", marks=pytest.mark.slow)])
def test_every_run_of_the_demo_has_settings_that_are_understood(size: Any, tmp_path: Path) -> None:  # noqa: ANN401
    stages = Demo(tmp_path, size, 2, Console(quiet=True)).stages()
    assert len(stages) == 16
    assert len({stage.run.folder for stage in stages}) == 16
    known = {stage.run for stage in stages}
    names = {}
    for place, stage in enumerate(stages):
        # Each run waits for none but runs that start before it, so that the demo always ends.
        assert stage.needs <= known
        assert stage.needs <= {before.run for before in stages[:place]}
        words = (f"--config={stage.run.experiment}", *sizes.OPTIONS[size][stage.run.method])
        names[words] = stage.run.experiment
    for words, name in names.items():
        assert read_settings([*words, "--quiet=true"]).name == name


def test_the_sizes_name_the_same_runs() -> None:
    small, full = sizes.OPTIONS["small"], sizes.OPTIONS["full"]
    assert set(small) == set(full) == set(sizes.SECONDS["small"]) == set(sizes.SECONDS["full"])
    assert not any(full.values())
