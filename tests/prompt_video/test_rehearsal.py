"""Rehearsals: real experiments on miniatures of their data."""

import json
from pathlib import Path

import pytest

from data_modules.decoding import VideoReader
from prompt_video.cli import main
from prompt_video.commands import rehearse
from prompt_video.rehearsal import NUM_FRAMES, SCENES, video

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.mark.parametrize("experiment", ["demo_closed", "folder_closed", "hmdb51_5way5shot", "k400_to_ucf101"])
def test_a_rehearsal_leaves_what_a_run_leaves(
    experiment: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "rehearsal"
    config = str(EXPERIMENTS / f"{experiment}.yaml")
    cli = rehearse.main(["rehearse", "--config", config, "--folder", str(folder)])
    assert cli.name == experiment
    assert cli.run_folder.is_relative_to(folder / "runs" / experiment)
    results = json.loads((cli.run_folder / "results.json").read_text())
    assert results["protocol"].startswith("REHEARSAL")
    assert cli.trainer.max_epochs == 1
    assert any(name.startswith("test/") and name.endswith("top1") for name in results["metrics"])
    assert all(count["dropped"] == 0 < count["used"] <= 12 for count in results["samples"].values())
    data = cli.datamodule
    assert data.root.is_relative_to(folder)
    assert all(other.root.is_relative_to(folder) for other in data.test_on)
    assert (folder / "features").is_dir()
    assert "its figures are no results" in capsys.readouterr().out


def test_a_second_rehearsal_replaces_the_first_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rehearse", f"--config={EXPERIMENTS / 'folder_closed.yaml'}", "--quiet=true", f"--runs={tmp_path}"]
    assert main(command) == 0
    folder = tmp_path / "rehearse" / "folder_closed"
    (folder / "left over").touch()
    assert main(command) == 0
    assert not (folder / "left over").exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").touch()
    assert main([*command, f"--folder={precious}"]) == 1
    assert "was not made by a rehearsal" in capsys.readouterr().err
    assert (precious / "thesis.txt").exists()


def test_lists_and_renamed_classes_of_a_folder_need_not_be_there(tmp_path: Path) -> None:
    command = ["rehearse", f"--config={EXPERIMENTS / 'folder_closed.yaml'}", "--quiet=true", f"--runs={tmp_path}"]
    options = ["--data.labels=none.csv", '--data.class_names={"brush_hair": "brushing hair"}', "--data.root=/nowhere"]
    cli = rehearse.main([*command, *options])
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
