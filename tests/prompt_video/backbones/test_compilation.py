"""A run that is compiled, which type checks of tests would be too, gives the figures of one that is not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.small_runs import arguments, results_of, run, weights

YAML = """
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: VideoFolder
  init_args:
    {{root: {root}, features_root: {features}, val_fraction: 0, test_fraction: 0.34, batch_size: 4, num_workers: 0,
     sampler: {{class_path: SegmentSampler, init_args: {{num_frames: 4}}}}}}
model:
  class_path: RecognitionTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
    optimizer: {{class_path: torch.optim.SGD, init_args: {{lr: 0.05}}}}
    controls: false
"""


@pytest.mark.slow
def test_compiling_changes_no_figure_beyond_rounding(make_videos: Callable[[Path, int], Path], tmp_path: Path) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(YAML.format(root=make_videos(tmp_path / "videos", 3), features=tmp_path / "features"))
    run(config, "fit", tmp_path / "false", "--model.compile=false")
    words = arguments(config, "fit", tmp_path / "true", "--model.compile=true")
    environment = {**os.environ, "TORCH_LOGS": "recompiles"}
    command = [sys.executable, "-m", "prompt_video", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "Recompiling function _encode " not in done.stderr, "texts are the same in every step"
    states = [weights(tmp_path / name) for name in ("false", "true")]
    figures = [results_of(tmp_path / name)["metrics"] for name in ("false", "true")]
    for of_run in figures:
        del of_run["data_wait"]
    assert states[0].keys() == states[1].keys()
    for name, weight in states[0].items():
        torch.testing.assert_close(states[1][name], weight, rtol=1e-4, atol=1e-5)
    assert figures[0] == pytest.approx(figures[1], abs=1e-4)
