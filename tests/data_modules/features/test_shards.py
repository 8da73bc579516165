"""Damaged stores: what is read is what was written, or one sentence names the file."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file

from data_modules.batch import BrokenVideo
from data_modules.errors import InputError
from data_modules.features import shards as store_shards
from data_modules.features.shards import CHECKED, Shard, read_shard, write_shard
from data_modules.features.store import FeatureStore, Recipe, StoreWriter

DIM = 4
RECIPE = Recipe("tiny", "abcd", DIM, 25.0, "resize 32")


def fill(root: Path, recipe: Recipe = RECIPE, seed: int = 0) -> Path:
    """Three shards of one video each, and one broken video."""
    rng = np.random.default_rng(seed)
    with StoreWriter(root, recipe, max_shard_bytes=1) as writer:
        for number in range(3):
            features = torch.from_numpy(rng.standard_normal((number + 2, DIM), dtype=np.float32))
            writer.add(f"clip {number}.mp4", features, np.arange(number + 2) / 25, (number + 2) / 25, root)
        writer.add_broken(BrokenVideo("broken.mp4", "broken.mp4", "truncated"))
    return root


def contents(root: Path) -> list[object]:
    store = FeatureStore(root, RECIPE)
    return [
        *((i, store.read(i).tolist(), store.times_sec(i).tolist(), store.duration_sec(i)) for i in store.video_ids),
        store.broken,
    ]


def shards(root: Path) -> list[Path]:
    return sorted(root.glob("shard-*"))


def swap(root: Path, other: Path) -> None:
    first, second = shards(root)[:2]
    first.rename(root / "x")
    second.rename(first)
    (root / "x").rename(second)


def reorder(root: Path, other: Path) -> None:
    first = shards(root)[0]
    first.rename(root / first.name.replace("-000000-", "-000007-"))


def from_elsewhere(root: Path, other: Path) -> None:
    shutil.copy(shards(other)[0], root)


def with_nan(root: Path, other: Path) -> None:
    shard = shards(root)[1]
    tensors = {name: torch.from_numpy(value) for name, value in load_file(shard).items()}
    tensors["features"][1, 2] = torch.nan
    with_ids = {"video_ids": json.dumps(["clip 1.mp4"]), "broken": "[]"}
    save_file(tensors, shard, with_ids)


def as_a_pipe(root: Path, other: Path) -> None:
    shard = shards(root)[1]
    shard.unlink()
    os.mkfifo(shard)


def as_a_folder(root: Path, other: Path) -> None:
    shard = shards(root)[1]
    shard.unlink()
    shard.mkdir()


def renamed(root: Path, other: Path) -> None:
    shards(root)[1].rename(root / "shard-mine.safetensors")


@pytest.mark.parametrize(
    "damage", [swap, reorder, from_elsewhere, with_nan, as_a_pipe, as_a_folder, renamed], ids=lambda call: call.__name__
)
def test_damage_is_named(tmp_path: Path, damage: Callable[[Path, Path], None]) -> None:
    root = fill(tmp_path / "store")
    other = fill(tmp_path / "other", seed=1)  # of the same recipe
    assert contents(root)
    damage(root, other)
    for _ in range(2):  # what was found to be damaged is not taken for sound the next time
        with pytest.raises(InputError, match=r"shard-.*(is damaged|is not called as a shard)"):
            FeatureStore(root, RECIPE)


def test_a_manifest_of_another_recipe_does_not_fit_its_shards(tmp_path: Path) -> None:
    root = fill(tmp_path)
    fields = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").write_text(json.dumps(fields | {"frame_rate": 12.5}))
    with pytest.raises(InputError, match=r"is damaged \(its checksum differs"):
        FeatureStore(root)


def test_every_byte_counts(tmp_path: Path) -> None:
    root = fill(tmp_path)
    expected = contents(root)
    rng = np.random.default_rng(0)
    files = [*shards(root), root / "manifest.json", root / CHECKED]
    for number in range(60):
        file = files[number % len(files)]
        whole = file.read_bytes()
        place, bit = int(rng.integers(len(whole))), int(rng.integers(8))
        flipped = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
        file.write_bytes(whole[:place] if number % 7 == 0 else flipped)
        try:
            assert contents(root) == expected, (file, place, bit)
        except InputError as error:
            assert str(root) in str(error)  # noqa: PT017 - either is right
        else:
            assert file.suffix == ".json"  # the name of a CLIP, or what was checked before
        file.write_bytes(whole)


def test_each_shard_is_checked_once_and_again_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = fill(tmp_path)
    read: list[str] = []
    check = store_shards._check

    def counted(path: Path, key: str) -> None:
        read.append(path.name)
        check(path, key)

    monkeypatch.setattr(store_shards, "_check", counted)
    for expected in ([path.name for path in shards(root)], []):
        store = FeatureStore(root)
        assert read == expected
        read.clear()
    store.check()
    assert read == store.shard_names
    os.utime(shards(root)[2])  # whoever sets the time back has touched the file
    read.clear()
    FeatureStore(root)
    assert read == [shards(root)[2].name]


WRONG: dict[str, dict[str, Any]] = {
    "its column num_frames": {"num_frames": np.array([3], np.int32)},
    "a video has no frames": {"num_frames": np.array([0])},
    "or no length": {"duration_sec": np.array([np.nan])},
    "its ids are no texts": {"video_ids": [1]},
    "names a video twice": {"broken": [(BrokenVideo("a", "a", "b"), (0, 0))]},
    "wrong types": {"broken": [(BrokenVideo("b", "a", "b"), (0.5, 0))]},
    "does not fit its features": {"num_frames": np.array([4])},
    "is not as it should be": {"source_bytes": np.array([3, 4])},
}


@pytest.mark.parametrize("reason", WRONG)
def test_types_and_ranges_of_what_another_program_wrote(
    tmp_path: Path, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = np.array([3])
    fields: dict[str, Any] = {
        "video_ids": ["a"],
        "num_frames": one,
        "duration_sec": one / 25.0,
        "source_bytes": one.copy(),
    }
    fields |= {"source_mtime_ns": one.copy(), "broken": [], **WRONG[reason]}
    shard = tuple.__new__(Shard, [fields[name] for name in Shard._fields])
    StoreWriter(tmp_path, RECIPE)
    prefix = "shard-000001-00000-0123abcd-000000"
    write_shard(tmp_path, prefix, RECIPE, shard, torch.zeros(3, DIM).half(), np.arange(3) / 25)
    (path,) = shards(tmp_path)
    with pytest.raises(InputError, match=rf"{path.name} is damaged .*{reason}"):
        read_shard(path, RECIPE)
