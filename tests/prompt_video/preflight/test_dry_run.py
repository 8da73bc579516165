"""Dry runs: real experiments on miniatures of their data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from data_modules.batch import UntrimmedRecord
from data_modules.errors import InputError
from data_modules.synthetic.video_fixtures import NUM_FRAMES, SCENES, SLOW_RATE, Action, long_video, video
from data_modules.video.decoding import VideoReader
from prompt_video.cli import main
from prompt_video.commands import dry_run
from prompt_video.experiment.settings import read_settings
from prompt_video.preflight.dry_run import MARKER, make_miniature, open_folder

EXPERIMENTS = Path(__file__).parents[3] / "experiments"
NAMES = sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))
# What each experiment's dry run comes to at its seed. Without vector instructions losses of 20 of them differed in the
# sixth digit and scores not at all, so that these tolerances are those of another machine's arithmetic.
FIGURES: dict[str, dict[str, float]] = json.loads((Path(__file__).parent / "figures_of_dry_runs.json").read_text())
RELATIVE, ABSOLUTE = 1e-3, 1e-3


def assert_known(experiment: str, metrics: dict[str, float]) -> None:
    known = FIGURES[experiment]
    assert any(name.startswith("test/") for name in known)
    assert {name: metrics[name] for name in known} == pytest.approx(known, rel=RELATIVE, abs=ABSOLUTE)


@pytest.mark.parametrize(
    "experiment", [pytest.param(name, marks=() if name == "demo_closed" else pytest.mark.slow) for name in NAMES]
)
def test_every_experiment_runs_from_end_to_end_on_a_miniature(
    experiment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each YAML trains and tests on a small world in the layout of its data set, lists and all."""
    folder = tmp_path / "dry_run"
    cli = dry_run.main(["dry-run", "--config", experiment, "--out", str(folder)])
    assert cli.name == experiment
    assert cli.run_folder.is_relative_to(folder / "runs" / experiment)
    results = json.loads((cli.run_folder / "results.json").read_text())
    assert results["protocol"].startswith("DRY RUN")
    assert cli.trainer.max_epochs == 1
    assert_known(experiment, results["metrics"])
    assert all(count["dropped"] == 0 < count["used"] <= 12 for count in results["samples"].values())
    data = cli.datamodule
    assert data.root.is_relative_to(folder)
    assert all(other.root.is_relative_to(folder) for other in data.test_on)
    assert (folder / "features").is_dir()
    assert "its figures are no results" in capsys.readouterr().out


def test_the_figures_of_every_experiment_are_known() -> None:
    assert sorted(FIGURES) == NAMES


@pytest.mark.slow
def test_a_second_dry_run_replaces_the_first_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["dry-run", f"--config={EXPERIMENTS / 'folder_closed.yaml'}", "--quiet=true", f"--runs={tmp_path}"]
    assert main(command) == 0
    folder = tmp_path / "dry-run" / "folder_closed"
    (folder / "left over").touch()
    assert main(command) == 0
    assert not (folder / "left over").exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").touch()
    assert main([*command, f"--out={precious}"]) == 1
    assert "was not made by a dry run" in capsys.readouterr().err
    assert (precious / "thesis.txt").exists()


def test_a_folder_of_a_dry_run_is_emptied_and_no_other(tmp_path: Path) -> None:
    for _ in range(2):
        open_folder(tmp_path / "mine")
        assert [path.name for path in (tmp_path / "mine").iterdir()] == [MARKER]
        (tmp_path / "mine" / "left over").touch()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").touch()
    with pytest.raises(InputError, match="was not made by a dry run"):
        open_folder(tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").exists()


@pytest.mark.slow
def test_lists_and_renamed_classes_of_a_folder_need_not_be_there(tmp_path: Path) -> None:
    command = ["dry-run", f"--config={EXPERIMENTS / 'folder_closed.yaml'}", "--quiet=true", f"--runs={tmp_path}"]
    options = ["--data.labels=none.csv", '--data.class_names={"brush_hair": "brushing hair"}', "--data.root=/nowhere"]
    cli = dry_run.main([*command, *options])
    assert "brushing hair" in cli.datamodule.class_names


@pytest.mark.parametrize("suffix", [".avi", ".webm", ".mp4", ".mkv"])
def test_videos_can_be_read_and_differ(suffix: str, tmp_path: Path) -> None:
    first = []
    for scene in range(len(SCENES)):
        path = tmp_path / f"{scene}{suffix}"
        path.write_bytes(video(scene, suffix))
        with VideoReader(path) as reader:
            assert reader.timeline.num_frames == NUM_FRAMES
            frames, _ = reader.decode([0.0, reader.timeline.duration_sec])
        first.append(frames.float().mean(dim=(0, 2, 3)))
    assert all(not (one == other).all() for number, one in enumerate(first) for other in first[:number])


def untrimmed_experiment(folder: Path, class_path: str, **options: object) -> Path:
    """Of a data set of long videos; its model is not run here."""
    init_args = {"root": "/nowhere/videos", "frame_rate": 10, **options}
    content = {
        "trainer": str(EXPERIMENTS / "parts" / "trainer.yaml"),
        "model": "RecognitionTask",
        "method": "prompts_temporal",
        "backbone": "vit_b16",
        "data": {"class_path": f"data_modules.data_sets.{class_path}", "init_args": init_args},
    }
    path = folder / "untrimmed.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("class_path", "options", "at_most"),
    [
        ("thumos14.Thumos14", {"protocol": {"class_path": "OpenSet", "init_args": {"split": "75_25"}}}, 12),
        pytest.param("activitynet.ActivityNet13", {}, 6, marks=pytest.mark.slow),
        ("untrimmed_folder.UntrimmedFolder", {"annotations": "/nowhere/mine.json", "class_names": {"a_b": "AB"}}, 12),
        (
            "untrimmed_folder.UntrimmedFolder",
            {
                "subsets": {"Validation": "train", "Test": "test"},
                "protocol": {"class_path": "OpenSet", "init_args": {"train_classes": ["jump"]}},
            },
            12,
        ),
    ],
)
def test_a_miniature_of_long_videos(
    class_path: str, options: dict[str, Any], at_most: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = f"--config={untrimmed_experiment(tmp_path, class_path, **options)}"
    common = [config, "--model.backbone=tiny", "--quiet=true"]
    miniature = make_miniature(read_settings(common), tmp_path / "data")
    data = read_settings([*common, *miniature]).data()
    assert data.root == tmp_path / "data" / "videos"
    assert data.frame_rate == SLOW_RATE
    data.prepare_data()
    listed = {record.video_id: record for records in data.dataset_index.records.values() for record in records}
    videos = [record for records in data.videos().values() for record in records]
    assert 0 < len(videos) <= at_most
    assert {name for trial in data.trials for name in trial.subsets} == {"train", "test"}
    for video_id in {record.video_id for record in videos}:
        record = listed[video_id]
        assert isinstance(record, UntrimmedRecord)
        assert record.duration_sec is not None
        with VideoReader(record.path) as reader:
            assert reader.timeline.duration_sec == pytest.approx(record.duration_sec, abs=1.01)
    if "class_names" in options:
        assert "AB" in data.class_names
    capsys.readouterr()


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_long_videos_show_something_where_something_is_annotated(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"long{suffix}"
    actions = [Action(20.0, 40.0, 0), Action(30.0, 50.0, 1), Action(70.0, 500.0, 2), Action(9.0, 3.0, 3)]
    path.write_bytes(long_video(100.0, actions, suffix))
    with VideoReader(path) as reader:
        assert reader.timeline.duration_sec == pytest.approx(100.0, abs=0.1)
        frames, _ = reader.decode((np.arange(100) + 0.5).tolist())
    spread = frames.float().flatten(1).std(dim=1)
    shown = np.array([20 <= second < 50 or second >= 70 for second in range(100)])
    assert (spread.numpy()[~shown] < 3).all()
    assert (spread.numpy()[shown] > 6).all()
