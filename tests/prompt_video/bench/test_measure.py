import operator
import os
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import partial

import pytest
import torch

from prompt_video.backbones.frozen_linear import frozen_linear
from prompt_video.bench.measure import (
    CPU,
    Spread,
    added_memory,
    in_new_process,
    interleaved,
    peak_product,
    prepare_processes,
    threads,
)


def test_ways_run_in_turn_after_a_round_that_does_not_count() -> None:
    order: list[str] = []
    seconds = interleaved({name: partial(order.append, name) for name in "ab"}, rounds=2)
    assert order == list("ababab")
    assert {name: len(spread.values) for name, spread in seconds.items()} == {"a": 2, "b": 2}


def test_a_ratio_is_that_of_each_round() -> None:
    """The second round was slow for both: the ratio does not see it."""
    ratio = Spread((4.0, 40.0, 6.0)) / Spread((2.0, 20.0, 2.0))
    assert ratio == Spread((2.0, 2.0, 3.0))
    assert ratio.median == 2.0
    assert 10 * ratio == Spread((20.0, 20.0, 30.0))


def test_too_wide() -> None:
    assert not Spread((1.0, 1.1, 1.2)).is_too_wide
    assert Spread((1.0, 1.1, 1.4)).is_too_wide


def test_a_gpu_has_finished_before_the_clock_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one: its work is a sleep that only waiting for it takes."""
    waiting: list[float] = []

    def synchronize(_: torch.device) -> None:
        time.sleep(sum(waiting))
        waiting.clear()

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    ways: dict[str, Callable[[], object]] = {"long": partial(waiting.append, 0.02), "none": lambda: None}
    seconds = interleaved(ways, rounds=1, device=torch.device("cuda"), warm_up=True)
    assert seconds["long"].median >= 0.02 > seconds["none"].median


def test_the_peak_is_repeated_for_a_fifth_of_a_second() -> None:
    call, flops = peak_product(shapes=((64, 64, 64), (32, 64, 16)))
    assert flops % (2 * 64**3) == 0 or flops % (2 * 32 * 64 * 16) == 0
    call()


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_memory_that_a_call_adds() -> None:
    assert added_memory(CPU, partial, operator.mul, b"x", 50 << 20) == pytest.approx(50, abs=5)


@pytest.mark.slow
def test_a_prepared_process_computes_on_all_threads() -> None:
    """It hangs where a library that was imported before the fork had started threads."""
    prepare_processes()
    x = torch.ones(1000, 1000)
    assert in_new_process(frozen_linear, x, x, None)[0, 0] == 1000


def test_a_process_that_the_system_ends_is_noticed() -> None:
    assert in_new_process(pow, 2, 3) == 8
    with pytest.raises(BrokenProcessPool):
        in_new_process(os._exit, 1)
