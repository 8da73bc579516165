"""Real runs with wandb offline, read back from the files that `wandb sync` would upload."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from wandb.proto import wandb_internal_pb2

from prompt_video.cli import main

COMMON = """
trainer: {{accelerator: cpu, max_epochs: 2, num_sanity_val_steps: 0, log_every_n_steps: 1}}
data:
  class_path: {data}
  init_args: {{root: {root}, features_root: {features}, batch_size: 4, num_workers: 0, {more}}}
model:
  class_path: {task}
  init_args:
    prompt: {{class_path: PromptLearner, init_args: {{num_prefix: 2, num_suffix: 1{prompt}}}}}
    temporal: {{class_path: TemporalEncoder, init_args: {{num_layers: 1, num_heads: 4}}}}
"""
EXPERIMENTS = {
    "recognition": {
        "data": "VideoFolder",
        "more": "max_broken_fraction: 0.2, sampler: {class_path: WindowSampler, init_args: "
        "{num_frames: 8, strides: [1, 2]}}",
        "task": "RecognitionTask",
        "prompt": "",
    },
    "localization": {
        "data": "UntrimmedShapes",
        "more": "train_videos: 4, val_videos: 2, test_videos: 3, frame_rate: 6, windows: {class_path: SlidingWindows, "
        "init_args: {num_frames: 48, overlap: 0.5}}",
        "task": "LocalizationTask",
        "prompt": "",
    },
    "retrieval": {
        "data": "CaptionedShapes",
        "more": "train_videos: 6, val_videos: 4, test_videos: 7, captions_per_video: 2, sampler: {class_path: "
        "SegmentSampler, init_args: {num_frames: 6}}",
        "task": "RetrievalTask",
        "prompt": ", too_long: truncate",
    },
}


messages: Any = wandb_internal_pb2  # whose classes are made when it is imported


@dataclass
class OfflineRun:
    """What the files of a run hold: logged values, the tables and the files in them."""

    config: Path
    folder: Path
    logged: dict[str, Any] = field(default_factory=dict)
    charts: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Path]] = field(default_factory=dict)

    def table(self, key: str) -> list[dict[str, Any]]:
        """Its rows, with the file in the place of each video or picture."""
        (place,) = [files for files in self.files.values() if f"{key}.table.json" in files]
        found = json.loads(place[f"{key}.table.json"].read_text())
        rows = [dict(zip(found["columns"], row, strict=True)) for row in found["data"]]
        return [{name: _file(place, cell) for name, cell in row.items()} for row in rows]


def _file(files: dict[str, Path], cell: Any) -> Any:  # noqa: ANN401
    return files[cell["path"]] if isinstance(cell, dict) else cell


def _records(path: Path) -> Iterator[Any]:
    """The records of a .wandb file: LevelDB's log format behind a header of seven bytes."""
    content, place, record = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        if place + 7 + length > len(content):
            return  # half written
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last piece of one
            yield messages.Record.FromString(record)
            record = b""


def read_back(config: Path, folder: Path) -> OfflineRun:
    run = OfflineRun(config, folder)
    (path,) = (folder / "wandb").glob("offline-run-*/*.wandb")
    # Written by a process of wandb's own, which on a busy machine is not done yet when the run is.
    until = time.monotonic() + 60
    while not any(record.HasField("exit") for record in _records(path)):
        assert time.monotonic() < until
        time.sleep(0.05)
    for record in _records(path):
        for item in record.history.item:
            run.logged[item.key or item.nested_key[0]] = json.loads(item.value_json)
        for update in record.config.update:
            if list(update.nested_key[:2]) == ["_wandb", "visualize"]:
                run.charts[update.nested_key[2]] = json.loads(update.value_json)
        if record.artifact.name:
            contents = record.artifact.manifest.contents
            run.files[record.artifact.name] = {entry.path: Path(entry.local_path) for entry in contents}
    return run


@pytest.fixture(scope="session")
def read_run() -> Callable[[Path, Path], OfflineRun]:
    """What the files of a run of an experiment hold."""
    return read_back


@pytest.fixture(scope="session")
def experiment_of(
    tmp_path_factory: pytest.TempPathFactory, make_videos: Callable[[Path, int], Path]
) -> Callable[[str], Path]:
    """A small experiment of a task, as YAML."""

    def make(task: str) -> Path:
        folder = tmp_path_factory.mktemp(task)
        root = folder / "data"
        if task == "recognition":
            for split, count in (("train", 3), ("val", 2), ("test", 3)):
                make_videos(root / split, count)
            silent = Path(__file__).parents[3] / "data_modules" / "videos" / "audio_only.mp4"
            shutil.copy(silent, root / "train" / "spinning" / "silent.mp4")
        path = folder / f"small_{task}.yaml"
        path.write_text(COMMON.format(root=root, features=folder / "features", **EXPERIMENTS[task]))
        return path

    return make


@pytest.fixture(scope="session")
def offline_run(experiment_of: Callable[[str], Path]) -> Callable[[str], OfflineRun]:
    """The run of a task's experiment; each is run once."""
    made: dict[str, OfflineRun] = {}

    def run(task: str) -> OfflineRun:
        if task not in made:
            config = experiment_of(task)
            folder = config.parent / "runs" / config.stem / "run"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("WANDB_MODE", "offline")
                patch.delenv("WANDB_DATA_DIR", raising=False)
                assert main(["fit", "--config", str(config), "--run_folder", str(folder), "--quiet", "true"]) == 0
            made[task] = read_back(config, folder)
        return made[task]

    return run
