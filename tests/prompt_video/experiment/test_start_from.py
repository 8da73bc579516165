"""Training that starts from what another run has learned."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from prompt_video.cli import main
from tests.small_runs import arguments, weights_in

RECOGNITION = """
trainer: {{accelerator: cpu, max_epochs: 1, num_sanity_val_steps: 0, log_every_n_steps: 1}}
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
    optimizer: {{class_path: torch.optim.SGD, init_args: {{lr: {lr}}}}}
"""
TRIALS = "--data.protocol={class_path: FewShot, init_args: {shots: 1, source: drawn, num_trials: 2}}"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, make_videos: Callable[[Path, int], Path]) -> tuple[Path, Path]:
    return make_videos(tmp_path_factory.mktemp("videos"), 3), tmp_path_factory.mktemp("features")


@pytest.fixture
def run(tmp_path: Path, folders: tuple[Path, Path]) -> Callable[..., Path]:
    return partial(run_in, tmp_path, folders)


def run_in(place: Path, folders: tuple[Path, Path], name: str, *options: str, lr: float = 0.0, rc: int = 0) -> Path:
    config = place / f"{name}.yaml"
    config.write_text(RECOGNITION.format(root=folders[0], features=folders[1], lr=lr))
    folder = place / name
    assert main(arguments(config, "fit", folder, *options)) == rc
    return folder / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, folders: tuple[Path, Path]) -> Path:
    """The checkpoint of a run that has learned something."""
    return run_in(tmp_path_factory.mktemp("first"), folders, "first", "--seed_everything=1", lr=0.5)


def test_training_goes_on_from_the_weights_of_a_checkpoint(run: Callable[..., Path], first: Path) -> None:
    """At a learning rate of zero the weights stay where they start: at another seed's, or at the checkpoint's."""
    start, own = weights_in(first), weights_in(run("apart", "--seed_everything=2"))
    assert all(not torch.equal(own[name], weight) for name, weight in start.items() if "context" in name)
    followed = weights_in(run("next", "--seed_everything=2", f"--model.start_from={first}"))
    assert followed.keys() == start.keys()
    assert all(torch.equal(followed[name], weight) for name, weight in start.items())


@pytest.mark.slow
def test_every_trial_starts_there(run: Callable[..., Path], first: Path, tmp_path: Path) -> None:
    start = weights_in(first)
    run("trials", TRIALS, f"--model.start_from={first}")
    for trial in ("000", "001"):
        own = weights_in(tmp_path / "trials" / "trials" / trial / "learned.ckpt")
        assert all(torch.equal(own[name], weight) for name, weight in start.items())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--model.prompt.num_prefix=3", "prompt.num_prefix was 2 and is 3"),
        ("--model.temporal.num_layers=2", "temporal.num_layers was 1 and is 2"),
    ],
)
def test_weights_of_other_settings_are_refused(
    run: Callable[..., Path], first: Path, capsys: pytest.CaptureFixture[str], option: str, message: str
) -> None:
    run("other", option, f"--model.start_from={first}", rc=1)
    said = capsys.readouterr().err
    assert "model.start_from" in said
    assert message in said


def test_a_file_that_is_not_there_is_said(run: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    run("none", "--model.start_from=nothing.ckpt", rc=1)
    assert "there is no checkpoint nothing.ckpt" in capsys.readouterr().err
