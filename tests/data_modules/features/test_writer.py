import time
from pathlib import Path

import numpy as np
import pytest
import torch

from data_modules.batch import BrokenVideo
from data_modules.errors import InputError
from data_modules.features.store import FeatureStore, StoreWriter
from tests.data_modules.features.small_stores import DIM, RECIPE, features_of


def test_bad_features_are_refused(tmp_path: Path, video: Path) -> None:
    times = np.arange(5) / 25
    with StoreWriter(tmp_path / "store", RECIPE) as writer:
        for value, reason in (
            (float("nan"), "not finite"),
            (float("inf"), "not finite"),
            (1e5, "too large for float16"),
        ):
            bad = features_of(0)
            bad[3, 2] = value
            with pytest.raises(InputError, match=rf"'evil'.*{reason}"):
                writer.add("evil", bad, times, 0.2, video)
        with pytest.raises(ValueError, match="'evil'"):
            writer.add("evil", torch.randn(5, DIM + 1), times, 0.2, video)
        with pytest.raises(ValueError, match="'evil'"):
            writer.add("evil", torch.empty(0, DIM), np.empty(0), 0.2, video)
        with pytest.raises(ValueError, match="ascending"):
            writer.add("evil", features_of(0), times[::-1].copy(), 0.2, video)
        writer.add("good", features_of(1), torch.from_numpy(times), 0.2, video)
    assert FeatureStore(tmp_path / "store").video_ids == ["good"]


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/store"])
def test_a_place_that_takes_no_files_is_told_before_the_work(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be kept in .*\. Name another place for them \(features_root\)"):
        StoreWriter(tmp_path / place, RECIPE)


def test_any_unicode_is_a_video_id(tmp_path: Path, video: Path) -> None:
    ids = ["", 'a "b"\n\\c', "視頻/动作 🎬.mp4", "\x00", "caf\udce9", "e\u0301", "é"]
    with StoreWriter(tmp_path / "store", RECIPE) as writer:
        for number, video_id in enumerate(ids):
            writer.add(video_id, features_of(number), np.arange(5) / 25, 0.2, video)
        writer.add_broken(BrokenVideo("🦆", "caf\udce9.mp4", "keine Bilder\n"))
    store = FeatureStore(tmp_path / "store")
    assert store.video_ids == sorted(ids)
    for number, video_id in enumerate(ids):
        assert torch.equal(store.read(video_id), features_of(number).half().float())
    assert store.broken == {"🦆": BrokenVideo("🦆", "caf\udce9.mp4", "keine Bilder\n")}


def test_waiting_videos_are_written_by_size_by_time_and_after_an_error(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count() -> int:
        return len(FeatureStore(tmp_path / "store"))

    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    writer = StoreWriter(tmp_path / "store", RECIPE, max_shard_bytes=2 * 5 * DIM * 3)
    seen = []
    for number, seconds in enumerate([0.0, 1.0, 2.0, 90.0, 120.0, 150.0]):
        clock[0] = seconds
        writer.add(str(number), features_of(number), np.arange(5) / 25, 0.2, video)
        seen.append(count())
    assert seen == [0, 0, 3, 3, 3, 6]

    def fail() -> None:
        with writer:
            writer.add("last", features_of(0), np.arange(5) / 25, 0.2, video)
            raise RuntimeError("elsewhere")

    with pytest.raises(RuntimeError, match="elsewhere"):
        fail()
    assert count() == 7
