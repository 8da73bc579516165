"""Features that others have computed, made up here as they are commonly released."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_modules.errors import InputError
from data_modules.features.imported_names import names_in
from data_modules.features.manifest import IMPORTED
from data_modules.features.store import FeatureStore, Recipe, StoreWriter
from data_modules.modules.extraction import open_named
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.commands.import_features import main

DIM = 24  # of the tests' tiny CLIP

Import = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of no files yet."""
    made = tmp_path / "released"
    made.mkdir()
    return made


@pytest.fixture
def run(folder: Path, tmp_path: Path, clip_folder: Path) -> Import:
    """Import the folder; gives the store."""

    def imported(*options: str, frame_rate: str = "10") -> Path:
        store = tmp_path / "store"
        common = [str(folder), f"--out={store}", f"--backbone={clip_folder}", f"--frame_rate={frame_rate}"]
        main(["import-features", *common, *options])
        return store

    return imported


def features_of(seed: int, num_rows: int, dim: int = DIM) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num_rows, dim)).astype(np.float32)


def ground_truth(path: Path, durations: dict[str, float | None]) -> Path:
    videos = {video_id: {"subset": "training", "duration": duration} for video_id, duration in durations.items()}
    path.write_text(json.dumps({"database": videos}))
    return path


def test_every_row_arrives_at_the_middle_of_its_tick(folder: Path, run: Import, backbone: FrozenBackbone) -> None:
    rows = {"a": features_of(0, 7), "more/b": features_of(1, 30).astype(np.float64), "more/c": features_of(2, 1)}
    (folder / "more").mkdir()
    for name, features in rows.items():
        np.save(folder / f"{name}.npy", features)
    store = FeatureStore(run(frame_rate="4"))
    assert store.video_ids == list(rows)
    for name, features in rows.items():
        np.testing.assert_allclose(store.read(name).numpy(), features, rtol=1e-3, atol=1e-4)  # kept as float16
        assert store.duration_sec(name) == len(features) / 4
        assert store.times_sec(name).tolist() == [(number + 0.5) / 4 for number in range(len(features))]
    assert store.recipe == Recipe(backbone.name, backbone.fingerprint, DIM, 4.0, IMPORTED)


def test_a_run_reads_them_whatever_its_crop_but_not_with_another_clip_or_rate(
    folder: Path, run: Import, backbone: FrozenBackbone, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(folder / "a.npy", features_of(0, 7))
    root = run()
    asked = Recipe("another name", backbone.fingerprint, DIM, 10.0, "resize 224, centre crop")
    assert "a" in FeatureStore(root, asked)
    assert f"the features in {root} were imported" in capsys.readouterr().out
    for change in ({"frame_rate": 25.0}, {"backbone_fingerprint": "another"}, {"dim": 25}):
        with pytest.raises(InputError, match=next(iter(change))):
            FeatureStore(root, Recipe(**{**vars(asked), **change}))
    with pytest.raises(InputError, match="transform: the store has imported"):
        StoreWriter(root, asked)


def test_features_are_not_imported_among_those_made_here(
    folder: Path, run: Import, backbone: FrozenBackbone, tmp_path: Path
) -> None:
    np.save(folder / "a.npy", features_of(0, 7))
    StoreWriter(tmp_path / "store", Recipe(backbone.name, backbone.fingerprint, DIM, 10.0, "resize 224")).close()
    with pytest.raises(InputError, match="transform: the store has resize 224, this run asks for imported"):
        run()


def test_only_what_is_new_or_changed_is_imported_again(folder: Path, run: Import) -> None:
    for name in ("a", "b"):
        np.save(folder / f"{name}.npy", features_of(0, 3))
    root = run()
    shards = set(root.glob("*.safetensors"))
    assert set(run().glob("*.safetensors")) == shards
    np.save(folder / "b.npy", features_of(1, 5))
    np.save(folder / "c.npy", features_of(2, 2))
    store = FeatureStore(run())
    assert {name: store.num_frames(name) for name in store.video_ids} == {"a": 3, "b": 5, "c": 2}
    (new,) = set(root.glob("*.safetensors")) - shards
    assert os.path.getsize(new) < 2000  # noqa: PTH202 - two videos of seven rows, and not the third


def test_a_kill_costs_only_what_was_not_yet_written(folder: Path, run: Import) -> None:
    np.save(folder / "a.npy", features_of(0, 3))
    bad = features_of(1, 3)
    bad[1, 4] = np.nan
    np.save(folder / "b.npy", bad)
    with pytest.raises(InputError, match=r"'b' \(.*b\.npy\) has features that are not finite"):
        run()
    np.save(folder / "b.npy", features_of(1, 3))
    assert FeatureStore(run()).video_ids == ["a", "b"]


def test_transposed_arrays(folder: Path, run: Import) -> None:
    features = features_of(0, 7)
    np.save(folder / "a.npy", features.T)
    with pytest.raises(
        InputError, match=r"a\.npy has features of 7 numbers, and backbone .* makes 24; say --transposed"
    ):
        run()
    store = FeatureStore(run("--transposed"))
    np.testing.assert_allclose(store.read("a").numpy(), features, rtol=1e-3, atol=1e-4)


def test_a_square_array_may_be_either_way(folder: Path, run: Import) -> None:
    features = features_of(0, DIM)
    np.save(folder / "a.npy", features)
    with pytest.raises(InputError, match=r"a\.npy: of 24 x 24 either may be the frames; say --no_transposed"):
        run()
    store = FeatureStore(run("--no_transposed"))
    np.testing.assert_allclose(store.read("a").numpy(), features, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(DIM), r"float64 of shape \(24,\), not rows"),
        (np.zeros((1, 5, DIM)), r"float64 of shape \(1, 5, 24\), not rows"),
        (np.zeros((0, DIM)), r"float64 of shape \(0, 24\), not rows"),
        (np.zeros((5, DIM), dtype=np.int64), r"int64 of shape \(5, 24\), not rows"),
        (np.zeros((5, 512)), "has features of 512 numbers, and backbone .* makes 24; was it another backbone"),
        (np.array([{"a": 1}], dtype=object), "is no NumPy file with an array of numbers"),
        (np.zeros((5, DIM), dtype=np.complex64), r"complex64 of shape \(5, 24\), not rows"),
    ],
)
def test_what_is_no_rows_of_features_is_named(folder: Path, run: Import, array: np.ndarray, message: str) -> None:
    np.save(folder / "good.npy", features_of(0, 3))
    np.save(folder / "odd.npy", array)
    with pytest.raises(InputError, match=rf"odd\.npy.*{message}"):
        run()


def test_a_damaged_file_is_named(folder: Path, run: Import) -> None:
    np.save(folder / "a.npy", features_of(0, 50))
    os.truncate(folder / "a.npy", 400)
    with pytest.raises(InputError, match=r"a\.npy is no NumPy file .* or a damaged one"):
        run()
    (folder / "a.npy").write_bytes(b"")
    with pytest.raises(InputError, match=r"a\.npy is no NumPy file"):
        run()


@pytest.mark.parametrize(
    "shape", ["(-5,24)", "(1e9,)", "(9**9,,)", "(5,24,)), (", "(5, 24", "(True, 24)", "(5," * 4000, "(10**30, 24)"]
)
@pytest.mark.parametrize("kind", ["<f4", ",f4", "|O ", "<U9", ">f8", "<M8[zz]", "<V999999999999"])
def test_an_odd_header_is_named(folder: Path, run: Import, kind: str, shape: str) -> None:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    (folder / "odd.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(200))
    with pytest.raises(InputError, match=r"odd\.npy (is no NumPy file|holds|has features of)"):
        run()


def test_archives_and_pipes(folder: Path, run: Import) -> None:
    np.savez(folder / "a.npz", features_of(0, 3))
    with pytest.raises(InputError, match=r"holds no \.npy file.*of 1 files of other kinds save each array alone"):
        run()
    (folder / "a.npz").rename(folder / "a.npy")
    with pytest.raises(InputError, match=r"a\.npy is an archive of arrays"):
        run()
    (folder / "a.npy").unlink()
    os.mkfifo(folder / "a.npy")
    with pytest.raises(InputError, match=r"a\.npy cannot be read: a pipe, not a file"):
        run()


STORED = ["flat", "jump/0", "run/0", "deep/run/1", "own.mp4", "v_anet", "abcdefghijk_10_20"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("jump/0.mp4", "jump/0"),
        ("train/run/0.avi", "run/0"),
        ("brush_hair/flat", "flat"),
        ("run/1", "deep/run/1"),
        ("1.mp4", "deep/run/1"),
        ("own.mp4", "own.mp4"),
        ("anet", "v_anet"),
        ("abcdefghijk_000010_000020", "abcdefghijk_10_20"),
        ("swim/0.mp4", None),
        ("flat/1", None),
    ],
)
def test_features_are_found_by_as_much_of_a_path_as_both_have(wanted: str, found: str | None) -> None:
    expected = {} if found in (None, wanted) else {wanted: found}
    assert names_in(Path("store"), STORED, [wanted]) == expected


def test_features_that_may_be_of_two_videos_are_refused() -> None:
    with pytest.raises(InputError, match="store has jump/0 and run/0: which of them is 0"):
        names_in(Path("store"), STORED, ["0.mp4"])
    with pytest.raises(InputError, match=r"store has flat: is it of a/flat\.mp4 or of b/flat\.mp4"):
        names_in(Path("store"), STORED, ["a/flat.mp4", "b/flat.mp4"])


def test_renamed_features_reach_a_loaders_processes(folder: Path, run: Import) -> None:
    (folder / "jump").mkdir()
    for name, seed in (("jump/0", 0), ("flat", 1)):
        np.save(folder / f"{name}.npy", features_of(seed, 3))
    root = run()
    store = open_named(
        root, FeatureStore(root).recipe, [("jump/0.mp4", Path("0.mp4")), ("swim/flat", Path("flat.mp4"))]
    )
    for same in (store, pickle.loads(pickle.dumps(store))):
        assert same.video_ids == ["jump/0.mp4", "swim/flat"]
        np.testing.assert_allclose(same.read("swim/flat").numpy(), features_of(1, 3), rtol=1e-3, atol=1e-4)


def test_folders_and_names(folder: Path, run: Import, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.npy file"):
        run()
    with pytest.raises(InputError, match="there is no folder"):
        main(["import-features", str(tmp_path / "none"), "--out=store", "--frame_rate=10"])
    for rate in ("0", "1e-300", "1e300", "-5"):
        with pytest.raises(InputError, match=r"frame_rate must be from 0\.001 to 10000 rows a second"):
            run(frame_rate=rate)
    np.save(folder / "v_a.npy", features_of(0, 3))
    assert FeatureStore(run("--prefix=v_")).video_ids == ["a"]
    (folder / "again").mkdir()
    np.save(folder / "again" / "v_a.npy", features_of(0, 3))
    with pytest.raises(InputError, match=r"'a' is there twice: .*again/v_a\.npy and .*v_a\.npy"):
        run("--prefix=v_")
    (folder / "again" / "v_a.npy").rename(folder / "b.npy")
    with pytest.raises(InputError, match=r"b\.npy is not called v_<video id>\.npy"):
        run("--prefix=v_")


def test_durations_of_the_annotation(
    folder: Path, run: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abcd":
        np.save(folder / f"{name}.npy", features_of(0, 50))
    said: dict[str, Any] = {"a": 5.04, "b": 4.98, "c": 9.0, "elsewhere": 1.0, "d": None}
    file = ground_truth(tmp_path / "gt.json", said)
    store = FeatureStore(run(f"--duration_from={file}"))
    assert {name: store.duration_sec(name) for name in "abcd"} == {"a": 5.04, "b": 4.98, "c": 9.0, "d": 5.0}
    assert "1 videos are not as long as annotated, the first being c" in capsys.readouterr().out


def test_a_wrong_frame_rate_is_seen_by_the_durations(folder: Path, run: Import, tmp_path: Path) -> None:
    for name in "abc":
        np.save(folder / f"{name}.npy", features_of(0, 50))
    file = ground_truth(tmp_path / "gt.json", {"a": 5.0, "b": 5.01, "c": 4.99})
    with pytest.raises(InputError, match=r"cover 0\.40 times what .*gt\.json says .* is the frame rate 10\?"):
        run(f"--duration_from={file}", frame_rate="25")
    with pytest.raises(InputError, match="tells the duration of none of the videos, of which one is a"):
        run(f"--duration_from={ground_truth(tmp_path / 'other.json', {'z': 5.0})}")
