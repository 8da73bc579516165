import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from data_modules.annotations.captions import captioned_records
from data_modules.batch import Batch, BrokenVideo
from data_modules.errors import InputError
from data_modules.features.store import FeatureStore, StoreWriter
from data_modules.loading.sampling import SegmentSampler
from data_modules.loading.transforms import ResizeCrop
from data_modules.modules.captioned import CaptionedDataModule
from data_modules.protocols import BaseToNovel, ClosedSet, FewShot, OpenSet, Protocol, RandomHalves
from data_modules.protocols.limit import Limit
from data_modules.protocols.trial import SPLITS, DatasetIndex, Split

ON_CPU = SimpleNamespace(root_device=torch.device("cpu"))

Fill = Callable[[Mapping[str, tuple[np.ndarray, float]], float | None], FeatureStore]

SIZES: dict[Split, int] = {"train": 24, "val": 0, "test": 11}


def video_ids(split: Split) -> list[str]:
    return [f"{split}{number:02d}" for number in range(SIZES[split])]


class Captioned(CaptionedDataModule):
    """Videos with one to four captions; a few rows that are left out."""

    def scan(self) -> DatasetIndex:
        files = {split: captioned_records(self.rows(split), self.place, self.tally) for split in SPLITS}
        return DatasetIndex((), files)

    def rows(self, split: Split) -> Iterable[tuple[str, str]]:
        for number, video_id in enumerate(video_ids(split)):
            yield from ((video_id, f"{video_id} c{place}") for place in range(number % 4 + 1))
        if split == "train":
            yield from (("train00", "train00 c0"), ("train01", "\n"), ("bare", ""))

    def place(self, video_id: str) -> Path:
        return self.root / f"{video_id}.mp4"


def opened(root: Path, fill: Fill, lost: Iterable[str] = (), broken: Iterable[str] = (), **options: Any) -> Captioned:  # noqa: ANN401
    """With a store that lacks some videos and holds others as broken."""
    data = Captioned(root, SegmentSampler(4), features="a store", **{"num_workers": 0, "batch_size": 5, **options})
    kept = [i for split in SPLITS for i in video_ids(split) if i not in {*lost, *broken}]
    fill({video_id: ((np.arange(32) + 0.5) / 8, 4.0) for video_id in kept}, 8.0)
    with StoreWriter(root / "store", FeatureStore(root / "store").recipe) as writer:
        for video_id in broken:
            writer.add_broken(BrokenVideo(video_id, f"{video_id} of the store", "no video stream"))
    data.stores = [FeatureStore(root / "store")]
    return data


def plain(batches: Iterable[Batch]) -> list[object]:
    return [
        (b["video_id"], b["text"], b["captions"]["video"].tolist(), b["features"].tolist(), b["time_sec"].tolist())
        for b in batches
    ]


def test_only_closed_set_has_no_classes(tmp_path: Path) -> None:
    refused: list[Protocol] = [FewShot(), OpenSet(), BaseToNovel(), RandomHalves()]
    for protocol in refused:
        name = type(protocol).__name__
        with pytest.raises(InputError, match=rf"^data\.protocol: {name} divides classes.*retrieval has ClosedSet"):
            Captioned(tmp_path, protocol=protocol)
    assert isinstance(Captioned(tmp_path, protocol=ClosedSet()).protocol, ClosedSet)


def test_what_was_left_out_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = Captioned(tmp_path / "set")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            data.describe_protocol()
            _ = data.dataset_index, data.trials, data.alone(0).trials
    (said,) = [entry.getMessage() for entry in caplog.records]
    assert said.startswith("set, left out: 2 empty captions, the first of train01; 1 repeated caption")
    assert len(data.captions("train")) == 60
    assert data.class_names == []


def test_in_words(tmp_path: Path) -> None:
    words = Captioned(tmp_path, SegmentSampler(4, 2)).describe_protocol()
    assert words == (
        "retrieval among all videos of a split; 24 train, 11 test videos. Captions: 60 train, 26 test. Tested on "
        "2 views of 4 frames spread over the whole video; similarities are averaged over views."
    )


@pytest.mark.parametrize(("fraction", "expected"), [(0.25, 6), (0.99, 23)])
def test_validation_videos_are_drawn_of_all(tmp_path: Path, fraction: float, expected: int) -> None:
    data = Captioned(tmp_path, protocol=ClosedSet(val_fraction=fraction))
    (trial,) = data.trials
    assert trial.val is not None
    train, val = ([r.video_id for r in subset.records] for subset in (trial.train, trial.val))
    assert len(val) == expected
    assert sorted(train + val) == video_ids("train")
    assert (train, val) == (sorted(train), sorted(val))
    assert [r.video_id for r in trial.tests["test"].records] == video_ids("test")
    again, other = (Captioned(tmp_path, protocol=ClosedSet(val_fraction=fraction), seed=seed) for seed in (0, 1))
    assert again.trials[0].val == trial.val
    assert other.trials[0].val != trial.val


def test_a_share_of_less_than_a_video_holds_nothing_out(tmp_path: Path) -> None:
    (trial,) = Captioned(tmp_path, protocol=ClosedSet(val_fraction=0.01)).trials
    assert trial.val is None
    assert [record.video_id for record in trial.train.records] == video_ids("train")


def test_a_dry_run_has_a_few_videos_with_all_their_captions(tmp_path: Path) -> None:
    data = Captioned(tmp_path, protocol=ClosedSet(0.5), limit=Limit(classes=2, videos=3))
    assert {name: len(subset.records) for name, subset in data.trials[0].subsets.items()} == {
        "train": 6,
        "val": 6,
        "test": 6,
    }
    assert data.describe_protocol().startswith("DRY RUN")
    assert [len(data.captions(name)) for name in ("test",)] == [1 + 2 + 3 + 4 + 1 + 2]


@pytest.mark.parametrize("pairs", ["every_caption", "one_caption"])
def test_an_epoch_of_training(tmp_path: Path, numbered_store: Fill, pairs: Any) -> None:  # noqa: ANN401
    data = opened(tmp_path, numbered_store, pairs=pairs)
    data.setup("fit")
    loader = data.train_dataloader()
    first, again = list(loader), plain(loader)
    assert plain(first) == again
    texts = [caption for batch in first for caption in batch["text"]]
    if pairs == "every_caption":
        assert sorted(texts) == sorted(data.captions("train"))
    else:
        assert sorted(i for batch in first for i in batch["video_id"]) == video_ids("train")
        assert {caption.split()[0] for caption in texts} == set(video_ids("train"))
    loader.sampler.set_epoch(1)  # type: ignore[attr-defined]
    assert plain(loader) != again
    for batch in first:
        assert batch["captions"]["video"].tolist() == list(range(len(batch["video_id"])))
        assert [caption.split()[0] for caption in batch["text"]] == batch["video_id"]
    assert plain(opened(tmp_path, numbered_store, pairs=pairs, num_workers=2).train_dataloader()) == again


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_every_video_is_tested_once_with_all_captions_over_all_processes(
    tmp_path: Path, numbered_store: Fill, monkeypatch: pytest.MonkeyPatch, world_size: int
) -> None:
    data = opened(tmp_path, numbered_store)
    texts: list[str] = []
    videos: list[str] = []
    for rank in range(world_size):
        monkeypatch.setattr(data, "trainer", SimpleNamespace(strategy=ON_CPU, global_rank=rank, world_size=world_size))
        (loader,) = data.test_dataloader()
        for batch in loader:
            videos += batch["video_id"]
            texts += batch["text"]
            owners = batch["captions"]["video"].tolist()
            assert [batch["video_id"][owner] for owner in owners] == [text.split()[0] for text in batch["text"]]
    assert sorted(videos) == video_ids("test")
    assert sorted(texts) == sorted(data.captions("test"))
    (predicted,) = data.predict_dataloader()
    assert [caption for batch in predicted for caption in batch["text"]] == data.captions("test")


def test_two_processes_train_on_different_pairs(
    tmp_path: Path, numbered_store: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(tmp_path, numbered_store)
    texts: list[list[str]] = []
    for rank in range(2):
        progress = SimpleNamespace(current=SimpleNamespace(ready=0))
        loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
        process = SimpleNamespace(strategy=ON_CPU, global_rank=rank, world_size=2, fit_loop=loop)
        monkeypatch.setattr(data, "trainer", process)
        texts.append([caption for batch in data.train_dataloader() for caption in batch["text"]])
    assert len(texts[0]) == len(texts[1])
    assert sorted([*texts[0], *texts[1]]) == sorted(data.captions("train"))


def test_a_resumed_epoch_goes_on_with_the_next_batch(
    tmp_path: Path, numbered_store: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(tmp_path, numbered_store)
    progress = SimpleNamespace(current=SimpleNamespace(ready=0))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    monkeypatch.setattr(data, "trainer", SimpleNamespace(strategy=ON_CPU, global_rank=0, world_size=1, fit_loop=loop))
    loader = data.train_dataloader()
    loader.sampler.set_epoch(3)  # type: ignore[attr-defined]
    whole = plain(loader)
    resumed = opened(tmp_path, numbered_store)
    monkeypatch.setattr(resumed, "trainer", data.trainer)
    loader = resumed.train_dataloader()
    loader.sampler.set_epoch(3)  # type: ignore[attr-defined]
    progress.current.ready = 4
    assert plain(loader) == whole[4:]


def test_lost_videos_take_their_captions_with_them_and_count_once(tmp_path: Path, numbered_store: Fill) -> None:
    lost, broken = ["train03", "test05"], ["train07"]
    data = opened(tmp_path, numbered_store, lost, broken, max_broken_fraction=0.1)
    data.setup("fit")
    assert {name: list(videos) for name, videos in data.dropped_videos.dropped.items()} == {
        "train": ["train03", "train07"],
        "test": ["test05"],
    }
    gone = {*lost, *broken}
    for name, loaders in (("train", [data.train_dataloader()]), ("test", data.test_dataloader())):
        texts = [caption for loader in loaders for batch in loader for caption in batch["text"]]
        assert sorted(texts) == sorted(c for c in data.captions(name) if c.split()[0] not in gone)


def test_a_video_that_cannot_be_decoded_counts_once_however_many_captions_it_has(
    tmp_path: Path, make_videos: Callable[[Path, int], Path]
) -> None:
    (video,) = [path for path in make_videos(tmp_path / "made", 1).rglob("*.mp4") if "spinning" in str(path)]
    data = Captioned(
        tmp_path,
        SegmentSampler(2),
        features="off",
        preprocessing=ResizeCrop(16),
        num_workers=0,
        max_broken_fraction=0.5,
    )
    for video_id in video_ids("train")[:16]:
        (tmp_path / f"{video_id}.mp4").symlink_to(video)
    broken = [lost for batch in data.train_dataloader() for lost in batch["broken"]]
    data.dropped_videos.add("train", broken)
    assert len(broken) == 20  # captions
    assert sorted(data.dropped_videos.dropped["train"]) == video_ids("train")[16:]


def test_features_are_computed_for_every_video_once(tmp_path: Path) -> None:
    data = Captioned(tmp_path)
    (records,) = data.stored_apart()[data]
    assert sorted(records) == sorted([*video_ids("train"), *video_ids("test")])
    with pytest.raises(InputError, match="no feature store is open"):
        data.dataset("train", training=True)


def test_captions_that_tell_of_more_videos(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("video,caption\ntest02.mp4, test00  c0\ntest02,test01 c1\ntest02,test01 c1\ntrain03,test00 c0\n")
    data = Captioned(tmp_path, also_right=Path("pairs.csv"))
    (trial,) = data.trials
    assert {r.video_id: r.also_right for r in trial.tests["test"].records if r.also_right} == {  # type: ignore[attr-defined]
        "test02": ("test00 c0", "test01 c1")
    }
    assert not any(r.also_right for r in trial.train.records)  # type: ignore[attr-defined]
    assert "Captions of pairs.csv are right of more videos than their own." in data.describe_protocol()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,caption\nnobody,test00 c0\n", "line 2: nobody is none of the videos of this data set"),
        ("video,caption\ntest02,a dog\n", "line 2: no video of this data set has the caption 'a dog'"),
    ],
)
def test_more_right_answers_of_unknown_names(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(InputError, match=rf"pairs.csv, {message}"):
        _ = Captioned(tmp_path, also_right=Path("pairs.csv")).trials
