"""A run with several tests: its items, its lost videos, and the layout that knows of them from the run."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prompt_video.cli import main
from prompt_video.commands import dashboard

pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")
PROTOCOL = '--data.protocol={"class_path": "BaseToNovel", "init_args": {"source": "drawn", "shots": 2}}'


@pytest.mark.slow
def test_lost_videos_count_where_they_are_tested_and_the_layout_names_every_test(
    experiment_of: Callable[[str], Path],
    read_run: Callable[[Path, Path], Any],
    tmp_path: Path,
    videos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = experiment_of("recognition")
    for split in ("train", "val", "test"):
        for name in ("moving_left", "spinning"):  # twice as many classes, two of them base classes
            shutil.copytree(config.parent / "data" / split / name, config.parent / "data" / split / f"not_{name}")
    (config.parent / "data" / "train" / "not_spinning" / "silent.mp4").unlink()
    (config.parent / "data" / "train" / "spinning" / "silent.mp4").unlink()
    silent = config.parent / "data" / "test" / "spinning" / "silent.mp4"
    silent.write_bytes((videos / "audio_only.mp4").read_bytes())
    runs = tmp_path / "runs"
    folder = runs / config.stem / "run"
    # Without stored features the broken video is only found while it is tested; it is one of 7 of the novel classes.
    options = ["--config", str(config), PROTOCOL, "--data.features=off", "--data.max_broken_fraction=0.3"]
    assert main(["fit", *options, f"--run_folder={folder}", "--quiet=true"]) == 0
    metrics = json.loads((folder / "results.json").read_text())["metrics"]
    assert {name: value for name, value in metrics.items() if name.startswith("broken/")} == {
        "broken/train": 0,
        "broken/val": 0,
        "broken/base": 0,
        "broken/novel": 1,
    }
    run = read_run(config, folder)
    assert {row["test"] for row in run.table("tables/videos")} == {"base", "novel"}
    assert sum(row["nPredictions"] for row in run.table("confusion/novel_table")) == 6
    dashboard.main(["dashboard", *options, f"--runs={runs}"])
    layout = (runs / "dashboards" / f"{config.stem}.json").read_text()
    for key in ("confusion/base_table", "confusion/novel_table", "test/hm", "test/frozen_hm", "broken/novel"):
        assert f'"{key}"' in layout
        assert key in run.logged
    assert '"broken/test"' not in layout
