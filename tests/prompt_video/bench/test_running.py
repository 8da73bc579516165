import io
import json
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
import torch
from rich.console import Console

from prompt_video import cli
from prompt_video.bench import program
from prompt_video.bench.measure import Spread
from prompt_video.bench.plan import Figures, Measurement, Setting, Size
from prompt_video.bench.running import Pace, Runner, duration

SIZES = (Size("large", 4096, 300, {"size": 2}), Size("small", 1024, 40, {"size": 1}, quick=True))


def _measure(setting: Setting, size: int) -> Figures:
    return {f"ratio_{size}": Spread((2.0, 3.0))}


def _ended(setting: Setting, size: int) -> Figures:
    raise BrokenProcessPool


PARTS = {
    "text_path": [Measurement(_measure, SIZES, apart=False), Measurement(_measure, SIZES, on="cuda")],
    "store": [Measurement(_ended, SIZES, apart=False)],
}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., tuple[dict[str, Figures], str]]:
    """Figures, and what was printed."""

    def run(free_mib: float, quick: bool = False, terminal: bool = False) -> tuple[dict[str, Figures], str]:
        printed = io.StringIO()
        console = Console(file=printed, force_terminal=terminal, width=120)
        runner = Runner(Setting(torch.device("cpu"), tmp_path), quick, console, lambda _: free_mib)
        return dict(runner.run(PARTS)), printed.getvalue()

    return run


Run = Callable[..., tuple[dict[str, Figures], str]]
WIDE = "is between 2 and 3 in 2 rounds: too wide to quote"


def test_a_line_for_each_measurement_in_a_log(run: Run) -> None:
    figures, printed = run(8192.0)
    assert printed.splitlines()[0] == "text path, large: about 5 min; about 10 min left in all"
    assert printed.splitlines()[1].startswith("store, large: about ")
    assert len(printed.splitlines()) == 2
    assert "\x1b" not in printed
    assert figures == {
        "text_path": {
            "device": "cpu",
            "quick": False,
            "ratio_2": 2.5,
            "ratio_2_range": [2.0, 3.0],
            "notes": [f"ratio_2 {WIDE}"],
        },
        "store": {
            "device": "cpu",
            "quick": False,
            "notes": ["the memory ran out while large was measured: left out"],
        },
    }


def test_a_terminal_has_a_bar_that_goes_away(run: Run) -> None:
    _, printed = run(8192.0, terminal=True)
    assert "━" in printed
    assert "10 min left" in printed


def test_quick_takes_the_small_size(run: Run) -> None:
    figures, printed = run(8192.0, quick=True)
    assert "text path, small: about 40 s; about 80 s left in all" in printed
    assert figures["text_path"]["ratio_1"] == 2.5


def test_a_size_that_had_to_be_lowered_is_said(run: Run) -> None:
    figures, printed = run(2048.0)
    note = "large take 4.0 GiB of memory, and 2.0 are free: measured at small"
    assert printed.startswith("text path, small: about 40 s;")
    assert figures["text_path"]["notes"] == [note, f"ratio_1 {WIDE}"]


def test_what_does_not_fit_is_left_out(run: Run) -> None:
    figures, _ = run(512.0)
    note = "large take 4.0 GiB of memory, and 0.5 are free; small still take 1.0: left out"
    assert figures["text_path"] == {"device": "cpu", "quick": False, "notes": [note]}


def test_the_pace_is_learned() -> None:
    pace = Pace()
    assert pace.seconds(60) == 60
    pace.add(known=30, taken=60.0)
    assert pace.seconds(60) == 90
    pace.add(known=6000, taken=12000.0)
    assert pace.seconds(60) == pytest.approx(120, abs=1)


def test_durations() -> None:
    assert [duration(seconds) for seconds in (1.0, 42.0, 89.0, 95.0, 1000.0)] == [
        "about 5 s",
        "about 40 s",
        "about 90 s",
        "about 2 min",
        "about 17 min",
    ]


def test_results_are_kept_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench" / "results.json"
    out.parent.mkdir()
    out.write_text(json.dumps({"search": {"spans": 3.0}}))
    monkeypatch.setattr(program, "prepare_processes", lambda: None)
    monkeypatch.setattr(program, "load", lambda names: {name: PARTS[name] for name in names})
    assert cli.main(["bench", "--only", "text_path", "--quick", "--device", "cpu", "--out", str(out)]) == 0
    results = json.loads(out.read_text())
    assert results["search"] == {"spans": 3.0}
    assert results["machine"]["device"] == "cpu"
    assert results["text_path"]["ratio_1_range"] == [2.0, 3.0]
    printed = capsys.readouterr().out
    assert "ratio_1" in printed
    assert "2.000 to 3.000" in printed
    assert WIDE in printed


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--device", "cuda"]) == 1
    assert "torch sees no GPU here" in capsys.readouterr().err
