from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from data_modules.batch import Batch, BrokenVideo, CaptionedRecord, CaptionedSample
from data_modules.features.store import FeatureStore
from data_modules.loading.captioned_dataset import CaptionedDataset, CollateCaptions, Pairs
from data_modules.loading.sample_keys import KeySampler
from data_modules.loading.sampling import SegmentSampler
from data_modules.loading.transforms import ResizeCrop

Fill = Callable[[Mapping[str, tuple[np.ndarray, float]], float | None], FeatureStore]
Make = Callable[[Path, int], Path]

COUNTS = (1, 5, 3, 2)  # captions of each video
RECORDS = [
    CaptionedRecord(f"v{video}", Path(f"v{video}.mp4"), captions=tuple(f"v{video} c{n}" for n in range(count)))
    for video, count in enumerate(COUNTS)
]


@pytest.fixture
def store(numbered_store: Fill) -> FeatureStore:
    return numbered_store({r.video_id: ((np.arange(40) + 0.5) / 10, 4.0) for r in RECORDS}, 10.0)


def dataset(
    store: FeatureStore, pairs: Pairs = "every_caption", training: bool = True, seed: int = 0
) -> CaptionedDataset:
    return CaptionedDataset(RECORDS, SegmentSampler(4), [store], training=training, seed=seed, pairs=pairs)


def good(samples: Sequence[CaptionedSample | BrokenVideo]) -> list[CaptionedSample]:
    assert not any(isinstance(sample, BrokenVideo) for sample in samples)
    return cast("list[CaptionedSample]", samples)


def epoch(data: CaptionedDataset, number: int) -> list[CaptionedSample]:
    return good(data.__getitems__([(number, index) for index in range(len(data))]))


def loader(data: CaptionedDataset, batch_size: int = 3, num_workers: int = 0) -> DataLoader[Batch]:
    return DataLoader(
        cast("Dataset[Batch]", data),
        batch_size=batch_size,
        sampler=KeySampler(len(data), training=data.training, seed=4),
        num_workers=num_workers,
        collate_fn=CollateCaptions("train"),
    )


def test_every_caption_is_trained_on_once_an_epoch_with_its_own_video(store: FeatureStore) -> None:
    data = dataset(store)
    samples = epoch(data, 0)
    assert [sample["captions"] for sample in samples] == [(c,) for record in RECORDS for c in record.captions]
    for sample in samples:
        assert sample["captions"][0].startswith(f"{sample['video_id']} ")
        # The store's features say which video they are of.
        assert set(sample["features"][..., 1].flatten().tolist()) == {float(sample["video_id"][1:]) + 1}
    # Each pair has moments of its own.
    assert len({tuple(sample["time_sec"].flatten().tolist()) for sample in samples}) > len(RECORDS)


def test_one_caption_shows_each_video_once_an_epoch_and_all_captions_over_time(store: FeatureStore) -> None:
    data = dataset(store, "one_caption")
    texts: Counter[str] = Counter()
    for number in range(200):
        samples = epoch(data, number)
        assert [sample["video_id"] for sample in samples] == [record.video_id for record in RECORDS]
        texts.update(caption for sample in samples for caption in sample["captions"])
    assert set(texts) == {caption for record in RECORDS for caption in record.captions}
    assert texts["v0 c0"] == 200
    assert all(abs(texts[caption] - 40) < 25 for caption in RECORDS[1].captions)  # 40 is the mean, 5.7 the deviation


@pytest.mark.parametrize("pairs", ["every_caption", "one_caption"])
def test_seed_epoch_and_index_decide_everything(store: FeatureStore, pairs: Pairs) -> None:
    def drawn(data: CaptionedDataset, draws: list[tuple[int, int]]) -> list[object]:
        return [(s["captions"], s["time_sec"].tolist()) for s in good(data.__getitems__(draws))]

    data, draws = dataset(store, pairs), [(7, 1), (2, 3), (7, 2), (0, 0), (7, 1)]
    assert drawn(data, draws) == drawn(dataset(store, pairs), draws)
    assert drawn(data, draws) == [one for draw in draws for one in drawn(data, [draw])]
    alone = [data[draw] for draw in draws]
    assert [sample["captions"] for sample in good(alone)] == [s["captions"] for s in good(data.__getitems__(draws))]
    many = [(number, index) for number in range(20) for index in range(len(data))]
    assert drawn(data, many) != drawn(dataset(store, pairs, seed=1), many)
    assert drawn(data, [(0, 1), (0, 2)]) != drawn(data, [(1, 1), (1, 2)])


def test_the_caption_that_is_drawn_does_not_follow_from_the_moments(store: FeatureStore) -> None:
    data = dataset(store, "one_caption")
    samples = good(data.__getitems__([(number, 1) for number in range(400)]))
    by_caption: dict[str, list[float]] = {}
    for sample in samples:
        by_caption.setdefault(sample["captions"][0], []).append(float(sample["time_sec"][0, 0]))
    means = [np.mean(times) for times in by_caption.values()]
    assert max(means) - min(means) < 0.2  # of a second; drawn by the same number they would lie 0.8 s apart


@pytest.mark.parametrize("pairs", ["every_caption", "one_caption"])
def test_tests_have_each_video_once_with_all_its_captions(store: FeatureStore, pairs: Pairs) -> None:
    data = dataset(store, pairs, training=False)
    samples = epoch(data, 0)
    assert [sample["captions"] for sample in samples] == [record.captions for record in RECORDS]
    assert list(data.videos) == [0, 1, 2, 3]
    batch = CollateCaptions("test")(samples)
    assert batch["text"] == [caption for record in RECORDS for caption in record.captions]
    assert batch["captions"]["video"].tolist() == [v for v, count in enumerate(COUNTS) for _ in range(count)]
    assert batch["captions"]["video"].dtype == torch.long
    assert (batch["subset"], batch["target"].tolist(), batch["broken"]) == ("test", [-1] * 4, [])
    assert batch["features"].shape == (4, 4, 2)
    for caption, owner in zip(batch["text"], batch["captions"]["video"].tolist(), strict=True):
        assert caption.startswith(f"{batch['video_id'][owner]} ")


def test_a_training_batch_has_a_caption_a_row(store: FeatureStore) -> None:
    data = dataset(store)
    batch = CollateCaptions("train")(good(data.__getitems__([(0, 1), (0, 0), (0, 3)])))
    assert batch["video_id"] == ["v1", "v0", "v1"]  # twice, with different captions
    assert batch["text"] == ["v1 c0", "v0 c0", "v1 c2"]
    assert batch["captions"]["video"].tolist() == [0, 1, 2]
    assert batch["features"].shape == (3, 4, 2)
    assert batch["mask"].shape == batch["time_sec"].shape == (3, 4)


def test_several_views_do_not_multiply_captions(store: FeatureStore) -> None:
    data = CaptionedDataset(RECORDS, SegmentSampler(4, num_views=3), [store], training=False, seed=0)
    batch = CollateCaptions("test")(epoch(data, 0))
    assert (batch["num_views"], len(batch["video_id"]), len(batch["text"])) == (3, 4, sum(COUNTS))
    assert batch["features"].shape == (12, 4, 2)
    assert batch["captions"]["video"].max() == 3


def test_broken_videos_are_set_aside_with_their_captions(tmp_path: Path, make_videos: Make, videos: Path) -> None:
    root = make_videos(tmp_path / "videos", 1)
    left, spinning = sorted(root.rglob("*.mp4"))
    records = [
        CaptionedRecord("left", left, captions=("l1", "l2")),
        CaptionedRecord("audio", videos / "audio_only.mp4", captions=("a1", "a2", "a3")),
        CaptionedRecord("spinning", spinning, captions=("s1",)),
        CaptionedRecord("gone", tmp_path / "gone.mp4", captions=("g1",)),
    ]
    tested = CaptionedDataset(records, SegmentSampler(3), [ResizeCrop(16)], training=False, seed=0)
    batch = CollateCaptions("test")([tested[0, index] for index in range(4)])
    assert (batch["video_id"], batch["text"]) == (["left", "spinning"], ["l1", "l2", "s1"])
    assert batch["captions"]["video"].tolist() == [0, 0, 1]
    assert batch["video"].shape == (2, 3, 3, 16, 16)
    assert [video.video_id for video in batch["broken"]] == ["audio", "gone"]
    trained = CaptionedDataset(records, SegmentSampler(3), [ResizeCrop(16)], training=True, seed=0)
    batch = CollateCaptions("train")([trained[0, index] for index in range(7)])
    assert (batch["video_id"], batch["text"]) == (["left", "left", "spinning"], ["l1", "l2", "s1"])
    assert batch["captions"]["video"].tolist() == [0, 1, 2]
    assert [video.video_id for video in batch["broken"]] == ["audio"] * 3 + ["gone"]
    nothing = CollateCaptions("train")([trained[0, 2], trained[0, 6]])
    assert (nothing["text"], nothing["video_id"], len(nothing["broken"])) == ([], [], 2)
    assert nothing["captions"]["video"].shape == (0,)
    assert nothing["captions"]["video"].dtype == torch.long


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("pairs", ["every_caption", "one_caption"])
def test_workers_and_batch_sizes_change_nothing(store: FeatureStore, pairs: Pairs, training: bool) -> None:
    data = dataset(store, pairs, training=training)

    def rows(batch_size: int, num_workers: int) -> list[object]:
        result: list[object] = []
        for batch in loader(data, batch_size, num_workers):
            owners = batch["captions"]["video"].numpy()
            for row, video_id in enumerate(batch["video_id"]):
                own = [batch["text"][place] for place in np.flatnonzero(owners == row)]
                result.append((video_id, own, batch["features"][row].tolist(), batch["time_sec"][row].tolist()))
        return result

    assert len(rows(1, 0)) == len(data)
    assert rows(1, 0) == rows(3, 0) == rows(3, 2)
