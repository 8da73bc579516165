"""Sweeps on this machine, and what wandb's agent would make of the same files."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from data_modules.errors import InputError
from prompt_video.commands.sweep import main
from prompt_video.experiment.settings import read_settings
from prompt_video.experiment.tables.plan import options_of
from prompt_video.experiment.tables.sweep_file import Sweep, read_sweep

EXPERIMENTS = Path(__file__).parents[4] / "experiments"
SWEEPS = sorted((EXPERIMENTS / "sweeps").glob("*.yaml"))
YAML = """
trainer: {{accelerator: cpu, max_epochs: 1, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: VideoFolder
  init_args:
    root: {root}
    test_fraction: 0.5
    batch_size: 4
    num_workers: 0
    features_root: {features}
    sampler: {{class_path: WindowSampler, init_args: {{num_frames: 8, strides: [1, 2]}}}}
model:
  class_path: RecognitionTask
  init_args:
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4, max_frames: 8}}}}
"""
LENGTHS = ('{"num_prefix": 0, "num_suffix": 0}', '{"num_prefix": 60, "num_suffix": 60}')


@pytest.fixture
def config(tmp_path: Path, make_videos: Callable[[Path, int], Path]) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(YAML.format(root=make_videos(tmp_path / "videos", 4), features=tmp_path / "features"))
    return path


def sweep_file(folder: Path, text: str) -> Path:
    path = folder / "lengths.yaml"
    path.write_text(text)
    return path


@pytest.mark.slow
def test_a_sweep_runs_each_point_once_and_goes_on_behind_one_that_fails(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = "\n".join(f"    - '{value}'" for value in LENGTHS)
    file = sweep_file(tmp_path, f"method: grid\nparameters:\n  model.prompt.init_args:\n    values:\n{values}\n")
    options = ["--config", str(config), f"--runs={tmp_path / 'runs'}", "--wandb=disabled", "--quiet=true"]
    assert main(["sweep", str(file), *options]) == 1
    told = capfd.readouterr()
    assert "leave no room for a text" in told.err
    assert "FAILED: small, vectors before 60, vectors behind 60, seed 0" in told.out
    assert "1 of 2 runs failed" in told.out
    folder = tmp_path / "runs" / "tables" / "small_lengths"
    with (folder / "runs.csv").open(newline="") as opened:
        done, failed = csv.DictReader(opened)
    assert [row["row"] for row in (done, failed)] == [
        "vectors before 0, vectors behind 0",
        "vectors before 60, vectors behind 60",
    ]
    run = Path(done["folder"])
    metrics = json.loads((run / "results.json").read_text())["metrics"]
    assert float(done["test/top1"]) == pytest.approx(metrics["test/top1"])
    assert failed["test/top1"] == ""
    assert "num_prefix: 0\n" in (run / "config.yaml").read_text()
    assert "vectors before 0" in (folder / "table.html").read_text()

    before = (run / "results.json").stat().st_mtime_ns
    one = sweep_file(tmp_path, f"method: grid\nparameters:\n  model.prompt.init_args:\n    value: '{LENGTHS[0]}'\n")
    assert main(["sweep", str(one), *options]) == 0
    assert "has been run" in capfd.readouterr().out
    assert (run / "results.json").stat().st_mtime_ns == before


def test_seeds_of_a_sweep_are_those_of_its_rows() -> None:
    sweep = Sweep("s", "", None, ({"seed_everything": 1, "a": 0}, {"seed_everything": 4, "a": 0}))
    plan = sweep.plan("mine", ["--config=x"], (0,), "test/top1")
    assert plan.seeds == (1, 4)
    assert [row.options for row in plan.rows] == [["--config=x", "--a=0"]]
    assert sweep.plan("mine", [], (0,), "test/top1").name == "mine_s"


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_points_are_what_the_agent_of_wandb_would_run(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args  # two seconds

    experiment = "demo_fewshot" if path.stem == "shots" else "demo_closed"
    monkeypatch.setenv("EXP", experiment)
    found = yaml.safe_load(path.read_text())
    sweep = read_sweep(path)
    command = create_sweep_command(list(found["command"]))
    assert command == ["${env}", "prompt-video", "fit", "--config", experiment, "${args}"]
    seen = []
    for point in sweep.points:
        flags = create_sweep_command_args({"args": {name: {"value": value} for name, value in point.items()}})
        assert flags["args"] == options_of(point)
        settings = read_settings(["--config", experiment, *options_of(point)]).settings
        model = settings["model"]["init_args"]
        prompt, temporal = model["prompt"]["init_args"], model["temporal"]["init_args"]
        assert prompt["num_prefix"] == prompt["num_suffix"]
        shots = settings["data"]["init_args"]["protocol"]["init_args"]["shots"] if path.stem == "shots" else None
        seen.append((prompt["num_prefix"], temporal["num_layers"], shots))
    expected = {
        "prompt_length": [(length, 2, None) for length in (0, 4, 8, 16)],
        "temporal_layers": [("auto", layers, None) for layers in (0, 1, 2, 3)],
        "shots": [("auto", 2, shots) for shots in (2, 4, 8, 16)],
    }
    assert seen == expected[path.stem]


def test_prompts_of_retrieval_keep_their_other_settings() -> None:
    for point in read_sweep(EXPERIMENTS / "sweeps" / "prompt_length.yaml").points:
        settings = read_settings(["--config", "demo_retrieval", *options_of(point)]).settings
        assert settings["model"]["init_args"]["prompt"]["init_args"]["too_long"] == "truncate"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: bayes\nparameters: {a: {values: [1]}}", "has the method 'bayes': on this machine only `grid`"),
        ("method: grid", "no sweep file: it has no `parameters`"),
        ("method: grid\nparameters: {a: {min: 0, max: 1}}", "the parameter 'a' needs `values`"),
        ("a: [", "is no YAML"),
    ],
)
def test_other_files_get_one_message(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read_sweep(sweep_file(tmp_path, text))


def test_a_mistaken_option_is_told_before_anything_runs(config: Path, tmp_path: Path) -> None:
    file = sweep_file(tmp_path, "method: grid\nparameters: {model.prompt.init_args.num_prefx: {values: [1]}}")
    with pytest.raises(InputError, match="num_prefx"):
        main(["sweep", str(file), "--config", str(config), f"--runs={tmp_path / 'runs'}"])
    assert not (tmp_path / "runs").exists()
    with pytest.raises(InputError, match="name the sweep file first"):
        main(["sweep", "--config", str(config)])
    with pytest.raises(InputError, match="no sweep"):
        main(["sweep", str(tmp_path / "none.yaml")])
