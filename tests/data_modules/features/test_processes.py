import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_modules.features.shards import read_shard, stamp
from data_modules.features.store import FeatureStore, StoreWriter
from tests.data_modules.features.small_stores import RECIPE

IDS = [str(number) for number in range(60)]

# Forks one writer after another, or several at once, out of a process that has paid for its imports only once.
WRITERS = """
import importlib.util, json, os, signal, sys, time, types
from pathlib import Path
import torch

package = types.ModuleType("data_modules")  # without its __init__, which takes seconds to import Lightning
package.__path__ = importlib.util.find_spec("data_modules").submodule_search_locations
sys.modules["data_modules"] = package
from data_modules.features import shards
from data_modules.batch import BrokenVideo
from data_modules.features.store import Recipe, StoreWriter, pending

def write(root, recipe, wanted, rank, die_while_writing):
    if die_while_writing:
        whole = shards.write_whole
        def write_half(path, write):
            def half(partial):
                write(partial)
                os.truncate(partial, partial.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
            whole(path, half if path.name.startswith("shard-") else write)
        shards.write_whole = write_half
    todo = set(pending(root, recipe, wanted))
    with StoreWriter(root, recipe, rank, max_shard_bytes=200) as writer:
        for video_id, path in wanted:
            if video_id in todo:
                number = int(video_id)
                time.sleep(0.0005)  # the work takes longer than any kill_after_sec
                if number % 10 == 9:
                    writer.add_broken(BrokenVideo(video_id, str(path), "truncated"))
                    continue
                features = torch.full((number % 5 + 1, recipe.dim), float(number))
                writer.add(video_id, features, torch.arange(len(features)) / 25, number + 0.5, path)

print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    pids = []
    for rank, ids in enumerate(job["ids"]):
        pids.append(os.fork())
        if not pids[-1]:
            wanted = [(i, Path(job["videos"]) / i) for i in ids]
            status = 1
            try:
                write(Path(job["root"]), Recipe(**job["recipe"]), wanted, rank, job["die_while_writing"])
                status = 0
            finally:
                os._exit(status)
    if job["kill_after_sec"] is not None:
        time.sleep(job["kill_after_sec"])
        os.kill(pids[0], signal.SIGKILL)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    print(json.dumps(codes), flush=True)
"""

Run = Callable[..., list[int]]


@pytest.fixture(scope="module")
def run_writers() -> Iterator[Run]:
    """Real writer processes, one for each list of video ids; gives their exit codes."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout
    assert stdout.readline() == "ready\n"

    def run(
        root: Path, videos: Path, *ids: list[str], kill_after_sec: float | None = None, die_while_writing: bool = False
    ) -> list[int]:
        job: dict[str, Any] = {
            "root": str(root),
            "videos": str(videos),
            "ids": ids,
            "recipe": dataclasses.asdict(RECIPE),
        }
        job |= {"kill_after_sec": kill_after_sec, "die_while_writing": die_while_writing}
        stdin.write(json.dumps(job) + "\n")
        stdin.flush()
        codes: list[int] = json.loads(stdout.readline())
        return codes

    with process:
        yield run
        process.kill()


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(60):
        (folder / str(number)).write_bytes(bytes(number + 1))
    return folder


def contents(root: Path, videos: Path) -> dict[str, Any]:
    store = FeatureStore(root, RECIPE)
    result: dict[str, Any] = {
        video_id: (
            store.read(video_id).tolist(),
            store.times_sec(video_id).tolist(),
            store.duration_sec(video_id),
            store.source(video_id) == stamp(videos / video_id),
        )
        for video_id in store.video_ids
    }
    return result | {"broken": dict(sorted(store.broken.items()))}


def test_killed_writers_resume_to_the_store_of_an_unbroken_run(tmp_path: Path, videos: Path, run_writers: Run) -> None:
    assert run_writers(tmp_path / "unbroken", videos, IDS) == [0]
    rng = np.random.default_rng(0)
    root, codes, sizes = tmp_path / "killed", [], [0]
    for _ in range(10):
        codes += run_writers(root, videos, IDS, kill_after_sec=rng.uniform(0, 0.02))
        if (root / "manifest.json").exists():
            sizes.append(len(FeatureStore(root, RECIPE)))
    codes += run_writers(root, videos, IDS, die_while_writing=len(set(sizes)) < 3)  # kills were all too early or late
    assert -signal.SIGKILL in codes
    assert set(codes) <= {0, -signal.SIGKILL}
    assert sizes == sorted(sizes)
    assert run_writers(root, videos, IDS) == [0]
    assert contents(root, videos) == contents(tmp_path / "unbroken", videos)
    assert len(contents(root, videos)) == 54 + 1
    stored = [video_id for path in root.glob("shard-*") for video_id in read_shard(path, RECIPE).video_ids]
    assert len(stored) == len(set(stored)), "nothing was made twice"
    assert not list(root.glob(".*"))


def test_writer_killed_inside_a_shard_leaves_only_a_leftover(tmp_path: Path, videos: Path, run_writers: Run) -> None:
    assert run_writers(tmp_path / "store", videos, IDS[:3]) == [0]
    assert run_writers(tmp_path / "store", videos, IDS, die_while_writing=True) == [-signal.SIGKILL]
    assert len(list((tmp_path / "store").glob(".*.tmp"))) == 1
    assert FeatureStore(tmp_path / "store").video_ids == IDS[:3]
    StoreWriter(tmp_path / "store", RECIPE)
    assert not list((tmp_path / "store").glob(".*"))


def test_many_processes_write_at_once(tmp_path: Path, videos: Path, run_writers: Run) -> None:
    assert run_writers(tmp_path / "alone", videos, IDS) == [0]
    shares = [IDS[:40], IDS[20:], IDS[::2]]  # overlapping ones too
    assert run_writers(tmp_path / "together", videos, *shares) == [0, 0, 0]
    assert contents(tmp_path / "together", videos) == contents(tmp_path / "alone", videos)
