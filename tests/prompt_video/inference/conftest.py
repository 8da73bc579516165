"""Two small runs, each trained once: of trimmed and of untrimmed shapes."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from data_modules.synthetic.untrimmed_shapes import UntrimmedShapes
from prompt_video.cli import main

RECOGNITION = """
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0}}
data:
  class_path: VideoFolder
  init_args:
    root: {root}
    val_fraction: 0.25
    test_fraction: 0.25
    batch_size: 4
    num_workers: 0
    features: "off"
    num_crops: 3
    sampler: {{class_path: WindowSampler, init_args: {{num_frames: 8, strides: [1, 2], num_views: 2}}}}
model:
  class_path: RecognitionTask
  init_args:
    prompt: {{class_path: {prompt}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: {layers}, num_heads: 4, max_frames: 8}}}}
    optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 0.01}}}}
    frozen_share: {share}
"""
LOCALIZATION = """
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0}}
data:
  class_path: UntrimmedShapes
  init_args:
    root: {root}
    train_videos: 4
    val_videos: 0
    test_videos: 2
    features_root: {features}
    frame_rate: 6
    windows: {{class_path: SlidingWindows, init_args: {{num_frames: 48, overlap: 0.5}}}}
    batch_size: 4
    num_workers: 0
model:
  class_path: LocalizationTask
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
    detector: {{class_path: ProposalDetector, init_args: {{channels: 16, num_scales: 4, num_proposals: 20}}}}
    frames_inside: 8
"""


class Run(NamedTuple):
    """A run, and the videos that it learned from."""

    config: Path
    folder: Path
    root: Path

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoints" / "last.ckpt"

    def again(self, verb: str, folder: Path) -> None:
        assert _run(self.config, verb, folder, "--ckpt", str(self.checkpoint)) == 0


def _run(config: Path, verb: str, folder: Path, *options: str) -> int:
    common = ["--config", str(config), "--run_folder", str(folder), "--wandb", "disabled", "--quiet", "true"]
    return main([verb, *common, *options])


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory, make_videos: Callable[[Path, int], Path]) -> Callable[..., Run]:
    """Trains a small recognition run."""
    root = make_videos(tmp_path_factory.mktemp("videos"), 8)

    def train(prompt: str = "PromptLearner", layers: int = 1, share: float = 0.0) -> Run:
        folder = tmp_path_factory.mktemp("run")
        config = folder / "small.yaml"
        config.write_text(RECOGNITION.format(root=root, prompt=prompt, layers=layers, share=share))
        assert _run(config, "fit", folder / "run") == 0
        return Run(config, folder / "run", root)

    return train


@pytest.fixture(scope="session")
def recognition(train: Callable[..., Run]) -> Run:
    return train(share=0.25)


@pytest.fixture(scope="session")
def probe(train: Callable[..., Run]) -> Run:
    return train("LinearProbe", 0)


@pytest.fixture(scope="session")
def localization(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("localization")
    root = folder / "shapes"
    UntrimmedShapes(root, train_videos=4, val_videos=0, test_videos=2).prepare_data()
    config = folder / "small.yaml"
    config.write_text(LOCALIZATION.format(root=root, features=folder / "features"))
    assert _run(config, "fit", folder / "run") == 0
    return Run(config, folder / "run", root)
