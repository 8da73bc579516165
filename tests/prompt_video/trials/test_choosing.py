"""Constants of a method, chosen within the training videos, through the command line."""

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from data_modules.errors import InputError
from prompt_video.cli import main
from prompt_video.trials.choosing import points
from tests import small_runs
from tests.small_runs import three_classes

YAML = """
trainer: {{accelerator: cpu, max_epochs: 1, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: VideoFolder
  init_args:
    root: {root}
    val_fraction: 0
    test_fraction: 0.4
    num_workers: 0
    features_root: {features}
    sampler: {{class_path: SegmentSampler, init_args: {{num_frames: 4}}}}
    protocol: {{class_path: FewShot, init_args: {{shots: 2, source: drawn}}}}
model: RecognitionTask
method: cache
scale: demo
"""
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("choosing")
    videos = three_classes(folder / "videos", 5)
    (folder / "few.yaml").write_text(YAML.format(root=videos, features=folder / "features"))
    return folder


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Run:
    return partial(small_runs.run, folder / "few.yaml", "fit", tmp_path / "run")


def test_the_best_on_held_out_videos_is_taken(run: Run, tmp_path: Path) -> None:
    chosen = run("--choose", '{"prompt.alpha": [0.0, 50.0], "prompt.beta": [5.5]}')["chosen"]
    tried = [row["held_out/top1"] for row in chosen["tried"]]
    assert [row["prompt.alpha"] for row in chosen["tried"]] == [0.0, 50.0]
    best = [0.0, 50.0][tried.index(max(tried))]
    assert chosen["values"] == {"prompt.alpha": best, "prompt.beta": 5.5}
    settings = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert settings["model"]["init_args"]["prompt"]["init_args"]["alpha"] == best
    # The weights that are left behind are used with what was chosen.
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert main(["test", "--ckpt", str(checkpoint), "--run_folder", str(tmp_path / "again"), "--quiet", "true"]) == 0
    figures = [json.loads((tmp_path / name / "results.json").read_text())["metrics"] for name in ("run", "again")]
    assert figures[0]["test/top1"] == figures[1]["test/top1"]


def test_every_trial_chooses_for_itself(run: Run, tmp_path: Path) -> None:
    lists = '{"prompt.alpha": [0.0, 50.0]}'
    results = run("--choose", lists, "--data.protocol.ways=2", "--data.protocol.num_trials=2")
    with (tmp_path / "run" / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {float(row["chosen/prompt.alpha"]) for row in rows} <= {0.0, 50.0}
    assert len(rows) == 2
    assert "chosen/prompt.alpha" in results["metrics"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--choose", '{"prompt.gamma": [1.0]}'), "choose: the method has no setting 'prompt.gamma'."),
        (("--choose", '{"prompt.alpha": []}'), "choose: prompt.alpha needs a list of numbers, not []"),
        (("--data.protocol.shots=1",), "has 1 training video, and one of each class is to be held out"),
        (("--choose", '{"prompt.alpha": [1.0, -1.0]}'), "alpha of a cache must be 0 or more"),
    ],
)
def test_what_cannot_be_chosen(
    run: Run, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(*options, rc=1)
    assert said in " ".join(capsys.readouterr().err.split())


def test_nothing_is_chosen_where_there_is_no_list(run: Run) -> None:
    assert "chosen" not in run("--choose=null", "--data.protocol.shots=1")


def test_points_are_all_combinations() -> None:
    assert points({"a": [1.0, 2.0], "b": [3.0]}) == [{"a": 1.0, "b": 3.0}, {"a": 2.0, "b": 3.0}]
    with pytest.raises(InputError, match="100 combinations of settings are too many; 64 is the most"):
        points({"a": [float(n) for n in range(10)], "b": [float(n) for n in range(10)]})
