"""What Ctrl-C and SIGTERM do, in every phase."""

import os
import signal

import pytest

from prompt_video import cli
from prompt_video.experiment.stopping import Stopped, obeying_signals


@pytest.mark.parametrize(("signum", "code", "said"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "Ctrl-C")])
def test_a_signal_is_an_exit_code_and_one_line(
    signum: signal.Signals, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(verb: str, arguments: list[str]) -> int:
        try:
            os.kill(os.getpid(), signum)
            pytest.fail("it went on")
        except Exception:  # as libraries catch what they do not know
            pytest.fail("a library could catch it")

    before = signal.getsignal(signum)
    monkeypatch.setattr(cli, "_run", run)
    assert cli.main(["label"]) == code
    out, err = capsys.readouterr()
    assert err.startswith(f"prompt-video: stopped by {said}; ")
    assert err.count("\n") == 1
    assert not out
    assert signal.getsignal(signum) is before


def test_signals_together_are_one() -> None:
    cleaned = False

    def work() -> None:
        nonlocal cleaned
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned = True

    with pytest.raises(Stopped), obeying_signals():
        work()
    assert cleaned
