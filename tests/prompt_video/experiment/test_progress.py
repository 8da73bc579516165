"""What a run says while it goes on, without a terminal."""

import re
from pathlib import Path
from typing import Protocol

import pytest

from prompt_video.cli import main


class Run(Protocol):
    """What the fixtures of tasks train."""

    @property
    def config(self) -> Path: ...


def test_a_log_shows_each_epoch_with_its_figures_and_each_tenth_of_an_extraction(
    recognition: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["fit", f"--config={recognition.config}", f"--runs={tmp_path / 'runs'}", "--wandb=disabled"]
    run += ["--data.features=auto", f"--data.features_root={tmp_path / 'features'}", "--trainer.max_epochs=3"]
    assert main(run) == 0
    lines = capsys.readouterr().out.splitlines()
    extraction = [line for line in lines if line.startswith("frame features: ")]
    assert re.match(r"frame features: (\d+) of \1 videos; [\d,]+ frames$", extraction[-1])
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert [line[:9] for line in epochs] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert re.fullmatch(
        r"epoch 1/3: (\d+) of \d+ batches, \d+ s left; loss [\d.]+  top1 [\d.]+  val top1 [\d.]+( .*)?", epochs[0]
    )
    first, last = (re.findall(r"(\d+) of (\d+)", line)[0] for line in (epochs[0], epochs[-1]))
    assert last[0] == last[1] == str(3 * int(first[0]))
