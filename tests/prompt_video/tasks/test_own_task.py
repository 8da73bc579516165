"""A task of one's own takes one file outside of the package: loss, results, and how a batch is scored."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from prompt_video.cli import main


def test_a_task_of_ones_own_trains_and_tests(
    tmp_path: Path,
    make_videos: Callable[[Path, int], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    data = {"root": str(make_videos(tmp_path / "videos", 4)), "val_fraction": 0.25, "test_fraction": 0.25}
    data |= {"features_root": str(tmp_path / "features"), "num_workers": 0, "batch_size": 2}
    experiment = {
        "trainer": {"accelerator": "cpu", "max_epochs": 1, "num_sanity_val_steps": 0},
        "data": {"class_path": "VideoFolder", "init_args": data},
        "model": {"class_path": "sigmoid_task.SigmoidTask", "init_args": {"threshold": -1.0}},
    }
    config = tmp_path / "own.yaml"
    config.write_text(yaml.safe_dump(experiment))
    assert main(["fit", "--config", str(config), f"--run_folder={tmp_path / 'run'}"]) == 0
    metrics = json.loads((tmp_path / "run" / "results.json").read_text())["metrics"]
    assert 0 <= metrics["test/accuracy"] <= 1
    assert metrics["val/accuracy"] in (0, 0.25, 0.5, 0.75, 1), "two videos, two questions each"
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()
    assert main(["predict", "--config", str(config), f"--run_folder={tmp_path / 'predicted'}"]) == 1
    assert "SigmoidTask can be trained and tested, but has no predictions to write" in capsys.readouterr().err
