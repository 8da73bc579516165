"""A run that is killed and resumed ends with the weights of an unbroken one; so does a feature extraction."""

import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.features.shards import read_shard
from data_modules.features.store import FeatureStore
from tests.small_runs import weights

Start = Callable[..., ForkServerProcess]
COMMAND = """
from prompt_video.cli import main
sys.exit(main())
"""
Options = Callable[[Path, Path, Path], list[str]]  # of root, features and run folder
# Writes every video to the disk at once, so that there is something to be found after a kill.
EAGER = """
from functools import partial
import data_modules.modules.extraction as extraction
from prompt_video.cli import main
extraction.StoreWriter = partial(extraction.StoreWriter, max_pending_sec=0.0)
sys.exit(main())
"""


@pytest.fixture
def options(small_training: list[str]) -> Options:
    def make(root: Path, features: Path, folder: Path) -> list[str]:
        own = [f"--data.root={root}", f"--data.features_root={features}", f"--run_folder={folder}"]
        return [*small_training, *own, "--test_after_fit=false"]

    return make


def finish(process: ForkServerProcess) -> None:
    process.join()
    assert process.exitcode == 0


def kill_when(process: ForkServerProcess, condition: Callable[[], bool]) -> None:
    while not condition():
        assert process.is_alive(), "the run ended before it could be killed"
        time.sleep(0.01)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize(
    ("every", "more"),
    [
        (None, []),
        (3, []),
        (None, ["--data.num_workers=2", "--data.val_fraction=0", "--data.test_fraction=0.5"]),
    ],
    ids=["between epochs", "within an epoch", "with workers, without validation"],
)
def test_resume_after_a_kill_is_exact(
    tmp_path: Path,
    make_videos: Callable[[Path, int], Path],
    start_python: Start,
    options: Options,
    every: int | None,
    more: list[str],
) -> None:
    root = make_videos(tmp_path / "videos", 8)  # 8 training videos: 4 steps an epoch, 24 in all
    extra = more if every is None else [f"--save_every_n_steps={every}"]
    finish(start_python(COMMAND, "fit", *options(root, tmp_path / "features", tmp_path / "whole"), *extra))

    broken = ["fit", *options(root, tmp_path / "features", tmp_path / "killed"), *extra]
    last = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    kill_when(start_python(COMMAND, *broken), last.exists)
    step = torch.load(last, weights_only=True)["global_step"]
    assert 0 < step < 24
    finish(start_python(COMMAND, *broken, f"--ckpt={last}"))

    expected, resumed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert expected.keys() == resumed.keys()
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)


@pytest.mark.slow
def test_extraction_after_a_kill_gives_the_same_store(
    tmp_path: Path, make_videos: Callable[[Path, int], Path], start_python: Start, options: Options
) -> None:
    root = make_videos(tmp_path / "videos", 12)

    def extract(features: Path) -> ForkServerProcess:
        return start_python(EAGER, "features", *options(root, features, tmp_path / "run"))

    finish(extract(tmp_path / "whole"))
    kill_when(extract(tmp_path / "killed"), lambda: len(list((tmp_path / "killed").rglob("*.safetensors"))) >= 2)
    found = next((tmp_path / "killed").iterdir())
    assert 0 < len(FeatureStore(found)) < 24
    finish(extract(tmp_path / "killed"))

    assert_same_features(FeatureStore(next((tmp_path / "whole").iterdir())), FeatureStore(found))


def assert_same_features(one: FeatureStore, other: FeatureStore) -> None:
    assert one.video_ids == other.video_ids
    for video_id in one.video_ids:
        assert np.array_equal(one.times_sec(video_id), other.times_sec(video_id))
        # Which frames are encoded together differs, and with it the last bit of a half.
        assert torch.allclose(one.read(video_id), other.read(video_id), rtol=2e-3, atol=2e-3)


def stored(root: Path) -> list[str]:
    """The videos of all shards: one that was computed twice is there twice."""
    store = FeatureStore(root)
    return sorted(name for path in root.glob("shard-*") for name in read_shard(path, store.recipe).video_ids)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_several_extractions_fill_one_store_and_compute_nothing_twice(
    tmp_path: Path, make_videos: Callable[[Path, int], Path], start_python: Start, options: Options, count: int
) -> None:
    root, together = make_videos(tmp_path / "videos", 12), tmp_path / "together"

    def extract(features: Path, number: int, of: int) -> ForkServerProcess:
        own = options(root, features, tmp_path / f"run{number}")
        return start_python(EAGER, "features", f"--part={number}/{of}", *own)

    finish(extract(tmp_path / "alone", 1, 1))
    running = [extract(together, number, count) for number in range(1, count + 1)]
    kill_when(running.pop(), lambda: len(list(together.rglob("*.safetensors"))) >= 2)
    for process in running:
        finish(process)
    (found,) = together.iterdir()
    assert len(FeatureStore(found)) < 24, "the killed one's are missing, and no other's"
    finish(extract(together, count, count))
    assert_same_features(FeatureStore(next((tmp_path / "alone").iterdir())), FeatureStore(found))
    assert stored(found) == FeatureStore(found).video_ids
    finish(start_python(COMMAND, "features", *options(root, together, tmp_path / "run")))
    assert stored(found) == FeatureStore(found).video_ids, "what is stored is not computed again"
