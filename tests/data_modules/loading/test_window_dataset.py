import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data_modules.batch import Batch, Segment, Span, UntrimmedRecord
from data_modules.features.store import FeatureStore, Recipe, StoreWriter
from data_modules.loading.sample_keys import KeySampler
from data_modules.loading.window_dataset import CollateWindows, WindowDataset, WindowSample
from data_modules.loading.windows import SlidingWindows, WholeVideo, Window, Windows

Video = tuple[np.ndarray, float]  # frame times and duration
Fill = Callable[[Mapping[str, Video], float | None], FeatureStore]

RATES = [10.0, 12.0, None]  # None: every frame of the video, at uneven times
CUTS = [SlidingWindows(num_frames=16, overlap=0.5), SlidingWindows(num_frames=16, overlap=0.0), WholeVideo(24)]


def ticks(duration_sec: float, frame_rate: float) -> Video:
    """Middles of evenly spaced ticks, as extraction writes them."""
    return (np.arange(max(1, round(duration_sec * frame_rate))) + 0.5) / frame_rate, duration_sec


def uneven(duration_sec: float, rng: np.random.Generator) -> Video:
    """Frames that stay for a moment, and some that stay for long."""
    stays = rng.uniform(0.02, 0.12, round(duration_sec / 0.12))
    stays[rng.integers(len(stays), size=3)] = rng.uniform(0.5, 1.5, 3)
    ends = stays.cumsum()
    return np.append(0.0, ends[:-1]), float(ends[-1])


def some_videos(frame_rate: float | None) -> dict[str, Video]:
    rng = np.random.default_rng(3)
    durations = [0.31, 1.603, 1.752, *rng.uniform(2, 12, 6).tolist()]
    return {
        str(number): uneven(duration_sec, rng) if frame_rate is None else ticks(duration_sec, frame_rate)
        for number, duration_sec in enumerate(durations)
    }


def stand_for(video: Video, frame_rate: float | None) -> list[Span]:
    """The time that each stored frame stands for."""
    times, duration_sec = video
    if frame_rate is not None:
        return [(time - 0.5 / frame_rate, time + 0.5 / frame_rate) for time in times.tolist()]
    return list(zip(times.tolist(), [*times[1:].tolist(), duration_sec], strict=True))


def overlap(one: Span, other: Span) -> float:
    return min(one[1], other[1]) - max(one[0], other[0])


def rows_read(sample: WindowSample) -> list[int]:
    """Which stored frame each frame of a window is, by what the features say; -1: none."""
    return (sample["features"][:, 0] - 1).long().tolist()


def frames_of(window: Window) -> list[tuple[float, Span]]:
    """Middle of each frame, and from when to when it is."""
    return [(m, (m - window.frame_sec / 2, m + window.frame_sec / 2)) for m in window.moments_sec.tolist()]


def record(video_id: str, segments: Sequence[tuple[float, float, int]] = (), **spans: Any) -> UntrimmedRecord:  # noqa: ANN401
    return UntrimmedRecord(video_id, Path(video_id), segments=tuple(Segment(*s) for s in segments), **spans)


def everything(dataset: WindowDataset, epochs: int = 1) -> list[WindowSample]:
    return [
        sample for epoch in range(epochs) for sample in dataset.__getitems__([(epoch, i) for i in range(len(dataset))])
    ]


def loader(dataset: WindowDataset, batch_size: int, num_workers: int = 0) -> DataLoader[Batch]:
    return DataLoader(
        cast("Dataset[Batch]", dataset),
        batch_size=batch_size,
        sampler=KeySampler(len(dataset), training=dataset.training, seed=4),
        num_workers=num_workers,
        collate_fn=CollateWindows("train", ["a", "b"]),
    )


@pytest.mark.parametrize("frame_rate", RATES)
@pytest.mark.parametrize("windows", CUTS, ids=lambda windows: windows.describe())
@pytest.mark.parametrize("training", [False, True])
def test_frames_are_the_stored_ones_of_their_moment(
    numbered_store: Fill, windows: Windows, frame_rate: float | None, training: bool
) -> None:
    videos = some_videos(frame_rate)
    store = numbered_store(videos, frame_rate)
    records = [record(video_id, [(0.0, 0.5, 0), (1.0, 1.5, 1)]) for video_id in videos]
    samples = everything(WindowDataset(records, windows, store, training=training, seed=0), epochs=2 if training else 1)
    assert {sample["video_id"] for sample in samples} == set(videos)
    for sample in samples:
        times, duration_sec = videos[sample["video_id"]]
        assert sample["features"][:, 1].tolist() == [float(sample["video_id"]) + 1] * sample["window"].num_frames
        assert sample["mask"].all()
        assert sample["duration_sec"] == duration_sec
        for (moment, _), row in zip(frames_of(sample["window"]), rows_read(sample), strict=True):
            if frame_rate is not None:  # the nearest tick
                assert abs(times[row] - moment) == pytest.approx(np.abs(times - moment).min(), abs=1e-6)
            else:  # the frame on screen
                (on_screen,) = [
                    i
                    for i, span in enumerate(stand_for(videos[sample["video_id"]], None))
                    if span[0] <= moment < span[1]
                ]
                assert row == on_screen


@pytest.mark.parametrize("duration_sec", [4.0, 4.049, 3.951, 30.049, 29.951])
def test_windows_at_the_rate_of_the_store_read_each_row_once(numbered_store: Fill, duration_sec: float) -> None:
    store = numbered_store({"a": ticks(duration_sec, 10.0)}, 10.0)
    dataset = WindowDataset([record("a")], SlidingWindows(16, 0.5), store, training=False, seed=0)
    for sample in everything(dataset):
        first = round(sample["window"].origin_sec * store.num_frames("a") / duration_sec)
        assert rows_read(sample) == list(range(first, first + 16))


def test_windows_come_video_after_video_and_the_last_one_says_so(numbered_store: Fill) -> None:
    videos = some_videos(10.0)
    store = numbered_store(videos, 10.0)
    dataset = WindowDataset([record(v) for v in videos], SlidingWindows(16), store, training=False, seed=0)
    samples = everything(dataset)
    expected = [
        (v, w) for v in videos for w in SlidingWindows(16).cover(videos[v][1], len(videos[v][0]) / videos[v][1])
    ]
    assert [(sample["video_id"], sample["window"]) for sample in samples] == expected
    following = [*(sample["video_id"] for sample in samples[1:]), None]
    assert [s["is_last"] for s in samples] == [s["video_id"] != n for s, n in zip(samples, following, strict=True)]
    assert [list(videos)[index] for index in dataset.videos] == [sample["video_id"] for sample in samples]
    assert not any(sample["segments"] or sample["ignored_sec"] for sample in samples)


def note_reads(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every row that is read of a store from now on."""
    noted: list[tuple[str, int]] = []
    gather = store.gather

    def gather_and_note(requests: Sequence[tuple[str, np.ndarray]]) -> Tensor:
        noted.extend((video_id, row) for video_id, rows in requests for row in rows.tolist())
        return gather(requests)

    monkeypatch.setattr(store, "gather", gather_and_note)
    return noted


@pytest.mark.parametrize("frame_rate", RATES)
@pytest.mark.parametrize("windows", CUTS, ids=lambda windows: windows.describe())
def test_training_never_reads_what_is_hidden(
    numbered_store: Fill, windows: Windows, frame_rate: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos, rng = some_videos(frame_rate), np.random.default_rng(1)
    store = numbered_store(videos, frame_rate)
    records = []
    for video_id, (_, duration_sec) in videos.items():
        starts = rng.uniform(-0.5, duration_sec, 3)
        hidden = tuple((start, start + length) for start, length in zip(starts.tolist(), [0.0, 0.03, 1.0], strict=True))
        actions = [(a, a + 0.2, 0) for a in np.arange(0, duration_sec, 0.3).tolist()]
        records.append(record(video_id, actions, hidden_sec=hidden))
    noted = note_reads(store, monkeypatch)
    samples = everything(WindowDataset(records, windows, store, training=True, seed=0), epochs=4)
    assert len(noted) == sum(int(sample["mask"].sum()) for sample in samples) > 100

    spans = {video_id: stand_for(video, frame_rate) for video_id, video in videos.items()}
    hidden_of = {one.video_id: one.hidden_sec for one in records}
    assert not [1 for v, row in noted for hidden in hidden_of[v] if overlap(spans[v][row], hidden) > 1e-9]
    num_hidden = 0
    for sample in samples:
        stored, hidden_sec = spans[sample["video_id"]], hidden_of[sample["video_id"]]
        for (moment, frame), real, features in zip(
            frames_of(sample["window"]), sample["mask"].tolist(), sample["features"], strict=True
        ):
            own = min(stored, key=lambda span: max(span[0] - moment, moment - span[1]))
            meets = any(
                max(overlap(frame, hidden), overlap(own, hidden)) > 0 for hidden in hidden_sec if hidden[0] < hidden[1]
            )
            meets |= any(
                start < moment < end for start, end in (frame, own) for moment, other in hidden_sec if moment == other
            )
            assert real != meets
            assert (features != 0).any() == real
            num_hidden += not real
    assert num_hidden > 20


def test_a_frame_that_stays_on_screen_into_a_hidden_stretch_is_hidden(numbered_store: Fill) -> None:
    times = np.append(np.arange(20) / 10, 2.0 + 1.0 + np.arange(20) / 10)  # the 20th stays from 1.9 to 3.0 s
    store = numbered_store({"a": (times, 5.0)}, None)
    hidden = record("a", [(0.2, 1.2, 0)], hidden_sec=((2.8, 2.95),))
    (sample,) = everything(WindowDataset([hidden], WholeVideo(50), store, training=True, seed=0))
    inside = [1.9 <= moment < 3.0 for moment, _ in frames_of(sample["window"])]
    assert (~sample["mask"]).tolist() == inside
    assert 19 not in rows_read(sample)


def test_tests_look_at_everything(numbered_store: Fill) -> None:
    store = numbered_store({"a": ticks(5.0, 10.0)}, 10.0)
    hidden = record("a", [(0.2, 1.2, 0)], hidden_sec=((2.0, 4.0),), ambiguous_sec=((0.0, 1.0),))
    samples = everything(WindowDataset([hidden], SlidingWindows(16), store, training=False, seed=0))
    assert all(sample["mask"].all() for sample in samples)
    assert {row for sample in samples for row in rows_read(sample)} == set(range(50))
    assert not any(sample["segments"] or sample["ignored_sec"] for sample in samples)


def test_training_keeps_the_windows_that_answer_for_an_action(numbered_store: Fill) -> None:
    # Windows of a second each half second: 0 to 6; the second one answers for 0.75 to 1.25 s.
    store = numbered_store({"a": ticks(4.0, 10.0), "b": ticks(4.0, 10.0), "c": ticks(0.6, 10.0)}, 10.0)
    records = [
        record("a", [(1.0, 1.4, 0), (3.9, 9.0, 1), (2.6, 1.5, 0)]),
        record("b", [(0.0, 2.5, 0), (3.0, 3.5, 0)], hidden_sec=((3.4, 3.6),)),
        record("c", [(0.1, 0.2, 1)]),
        record("c", [(0.1, 0.2, 1)], hidden_sec=((0.0, 0.6),)),
        record("b"),
    ]
    kept = WindowDataset(records, SlidingWindows(10), store, training=True, seed=0)
    assert [(index, window.origin_sec) for index, window in kept.places] == [(0, 0.5), (0, 3.0), (1, 1.0), (2, 0.0)]
    tested = WindowDataset(records, SlidingWindows(10), store, training=False, seed=0)
    assert tested.videos == [index for index, count in enumerate([7, 7, 1, 1, 7]) for _ in range(count)]


def plain(batch: Batch, row: int) -> list[object]:
    """One window of a batch, without the padding."""
    windows = batch["windows"]
    length = int((batch["time_sec"][row] > 0).sum())
    assert not batch["mask"][row, length:].any()
    assert not batch["features"][row, length:].any()
    return [
        batch["video_id"][row],
        *(batch[key][row, :length].tolist() for key in ("features", "mask", "time_sec")),
        *(windows[key][row].tolist() for key in ("origin_sec", "frame_sec", "duration_sec", "own_sec")),
        *(windows[key][row].tolist() for key in ("segments_sec", "segment_targets", "ignored_sec")),
        windows["is_last"][row],
    ]


@pytest.mark.parametrize("training", [False, True])
def test_a_draw_gives_the_same_sample_in_any_batch_and_worker(numbered_store: Fill, training: bool) -> None:
    videos = some_videos(10.0)
    store = numbered_store(videos, 10.0)
    records = [record(v, [(0.0, 0.3, 0), (1.0, 1.5, 1)], hidden_sec=((0.7, 1.0),)) for v in videos]
    dataset = WindowDataset(records, SlidingWindows(16), store, training=training, seed=2)

    def windows(batch_size: int, num_workers: int) -> Iterator[list[object]]:
        for batch in loader(dataset, batch_size, num_workers):
            yield from (plain(batch, row) for row in range(len(batch["video_id"])))

    expected = list(windows(1, 0))
    assert len(expected) == len(dataset) > 8
    assert list(windows(4, 0)) == expected
    assert list(windows(7, 2)) == expected


def test_training_draws_depend_on_seed_and_epoch(numbered_store: Fill) -> None:
    videos = some_videos(10.0)
    store = numbered_store(videos, 10.0)

    def origins(seed: int, epoch: int, training: bool = True) -> list[float]:
        records = [record(v, [(1.0, 1.5, 1)]) for v in videos]
        dataset = WindowDataset(records, SlidingWindows(16), store, training=training, seed=seed)
        return [dataset[epoch, index]["window"].origin_sec for index in range(len(dataset))]

    assert origins(0, 0) == origins(0, 0)
    assert origins(0, 0) != origins(0, 1)
    assert origins(0, 0) != origins(1, 0)
    assert origins(0, 0, training=False) == origins(1, 1, training=False)


def test_windows_of_different_length_are_padded(numbered_store: Fill) -> None:
    store = numbered_store({"short": ticks(0.5, 10.0), "long": ticks(3.0, 10.0)}, 10.0)
    records = [
        record("short", [(0.1, 0.4, 1)]),
        record("long", [(0.2, 0.4, 0), (0.3, 0.9, 1)], ambiguous_sec=((0.0, 0.1),)),
    ]
    dataset = WindowDataset(records, WholeVideo(30), store, training=True, seed=0)
    samples = [
        WindowDataset(records[:1], SlidingWindows(12), store, training=True, seed=0)[0, 0],
        dataset[0, 1],
    ]
    batch = CollateWindows("train", ["walk", "run"])(samples)
    assert (batch["text"], batch["subset"], batch["video_id"]) == (["walk", "run"], "train", ["short", "long"])
    assert (batch["num_views"], batch["broken"], batch["target"].tolist()) == (1, [], [-1, -1])
    assert batch["features"].shape == (2, 30, 2)
    assert batch["mask"].sum(1).tolist() == [5, 30]
    assert batch["mask"][0, :5].all()
    assert not batch["features"][0, 5:].any()
    assert torch.equal(batch["features"][0, :5], samples[0]["features"])
    torch.testing.assert_close(batch["time_sec"][0], torch.tensor([0.05, 0.15, 0.25, 0.35, 0.45] + [0.0] * 25))
    torch.testing.assert_close(batch["time_sec"][1], (torch.arange(30) + 0.5) / 10)
    windows = batch["windows"]
    assert windows["own_sec"].tolist() == [[-np.inf, np.inf]] * 2
    torch.testing.assert_close(windows["frame_sec"], torch.tensor([0.1, 0.1]))
    assert windows["duration_sec"].tolist() == [0.5, 3.0]
    torch.testing.assert_close(windows["segments_sec"][1], torch.tensor([[0.2, 0.4], [0.3, 0.9]]))
    assert [targets.tolist() for targets in windows["segment_targets"]] == [[1], [0, 1]]
    assert [spans.shape for spans in windows["ignored_sec"]] == [(0, 2), (1, 2)]
    tested = CollateWindows("test", ["walk"])(
        [WindowDataset(records, WholeVideo(3), store, training=False, seed=0)[0, 0]]
    )
    assert tested["windows"]["segments_sec"][0].shape == (0, 2)
    assert tested["windows"]["segment_targets"][0].shape == (0,)


def anonymous_mib() -> float:
    """Memory of this process that is not a file's, MiB."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured as Linux tells it")
def test_a_video_of_two_hours_takes_no_more_memory_than_its_windows(tmp_path: Path) -> None:
    num_rows, dim = 72_000, 256  # 10 frames a second: 37 MB on disk, 74 MB as float32
    features = torch.zeros(num_rows, dim, dtype=torch.float16)
    row = torch.arange(num_rows)
    features[:, 0], features[:, 1] = row // 256, row % 256  # float16 has no larger whole numbers
    with StoreWriter(tmp_path, Recipe("tiny", "abcd", dim, 10.0, "none")) as writer:
        writer.add("long", features, (row.double() + 0.5).numpy() / 10, 7200.0, tmp_path / "long.mp4")
    del features
    store = FeatureStore(tmp_path)
    dataset = WindowDataset([record("long")], SlidingWindows(256, 0.5), store, training=False, seed=0)
    assert len(dataset) == 562  # (72,000 - 256) / 128, rounded up, and one

    seen = np.zeros(num_rows, dtype=bool)
    # What earlier tests freed goes back to the system, or it would be used again and nothing would show.
    ctypes.CDLL(None).malloc_trim(0)
    bounds, before, peak = [-np.inf], anonymous_mib(), 0.0
    for batch in loader(dataset, batch_size=4):
        assert batch["mask"].all()
        rows = (batch["features"][..., 0] * 256 + batch["features"][..., 1]).long()
        assert torch.equal(rows, (batch["windows"]["origin_sec"][:, None] * 10).round().long() + torch.arange(256))
        seen[rows.numpy()] = True
        for since, to in batch["windows"]["own_sec"].tolist():
            assert since == bounds[-1]
            bounds.append(to)
        peak = max(peak, anonymous_mib() - before)
    assert seen.all()
    assert (len(bounds), bounds[-1]) == (563, np.inf)
    assert bounds == sorted(bounds)
    assert peak < 20
    whole = store.read("long")
    assert anonymous_mib() - before > 60, "this is how all features at once would show"
    assert len(whole) == num_rows


@pytest.mark.parametrize("frame_rate", [None, 10.0])
def test_windows_begin_with_the_first_frame(numbered_store: Fill, frame_rate: float | None) -> None:
    """Sound may begin before it; annotations and windows are on the same clock."""
    times, duration_sec = ticks(5.0, 10.0)
    moved = times + 3.0 if frame_rate else times - times[0] + 3.0
    store = numbered_store({"late": (moved, duration_sec + 3.0)}, frame_rate)
    late = record("late", [(4.0, 5.0, 0)])
    dataset = WindowDataset([late], SlidingWindows(16), store, training=True, seed=0)
    for epoch in range(4):
        for sample in dataset.__getitems__([(epoch, index) for index in range(len(dataset))]):
            assert sample["window"].origin_sec >= 3.0 - 1e-9
            assert sample["window"].end_sec <= 8.0 + 1e-9
            first = round((sample["window"].origin_sec - 3.0) * 10)
            assert rows_read(sample) == list(range(first, first + 16))
