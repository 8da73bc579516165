"""Batches of many trials hold what each trial's own loader would give, in its order."""

from collections.abc import Callable

import pytest
import torch
from torch.utils.data import DataLoader

from data_modules.errors import InputError
from data_modules.loading.dataset import Collate, VideoDataset
from data_modules.loading.sample_keys import KeySampler
from data_modules.loading.sampling import WindowSampler
from data_modules.loading.transforms import ResizeCrop
from prompt_video.trials.loading import StepSampler, TrialSteps, TrialVideos, groups

Videos = Callable[..., VideoDataset]
NAMES = [["a", "b"], ["c", "d", "e"], ["f", "g"]]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("epoch", [0, 3])
def test_equals_each_trials_own_loader(videos: Videos, training: bool, epoch: int) -> None:
    counts = (7, 8, 6) if training else (9, 2, 5)
    datasets = [
        videos(5 * trial, count, len(names), training=training, seed=trial)
        for trial, (count, names) in enumerate(zip(counts, NAMES, strict=True))
    ]
    steps = TrialSteps("part", [TrialVideos(*pair) for pair in zip(datasets, NAMES, strict=True)], batch_size=4)
    assert len(steps) == (2 if training else 3)
    for trial, dataset in enumerate(datasets):
        sampler = KeySampler(len(dataset), training=training, seed=trial)
        sampler.set_epoch(epoch)
        collate = Collate("part", NAMES[trial])
        for step, own in enumerate(DataLoader(dataset, batch_size=4, sampler=sampler, collate_fn=collate)):
            batch = steps[epoch, step]
            rows, count = len(own["features"]), len(own["target"])
            assert torch.equal(batch["features"][trial, :rows], own["features"])
            assert not batch["features"][trial, rows:].any()
            assert torch.equal(batch["mask"][trial, :rows], own["mask"])
            assert not batch["mask"][trial, rows:].any()
            assert torch.equal(batch["target"][trial, :count], own["target"])
            assert (batch["target"][trial, count:] == -1).all()
            assert batch["video_id"][trial] == own["video_id"]
            assert batch["num_views"] == own["num_views"]
            assert batch["texts"] == NAMES
    last = steps[epoch, len(steps) - 1]
    assert [len(own) for own in last["video_id"]] == ([3, 4, 2] if training else [1, 0, 0])


def test_full_steps_only(videos: Videos) -> None:
    trials = [TrialVideos(videos(5 * trial, 8 - trial, 2, training=True, seed=trial), ["a", "b"]) for trial in range(2)]
    everything, full = (TrialSteps("train", trials, batch_size=3, drop_last=drop) for drop in (False, True))
    assert (len(everything), len(full)) == (3, 2)
    assert [full[1, step]["video_id"] for step in range(2)] == [everything[1, step]["video_id"] for step in range(2)]
    assert groups([7, 6, 5], batch_size=3, most=8, drop_last=True) == [[0, 1], [2]]


def test_a_resumed_epoch_goes_on() -> None:
    sampler = StepSampler(3)
    assert list(sampler) == [(0, 0), (0, 1), (0, 2)]
    sampler.set_epoch(4)
    seen = 2
    sampler.leave_out(lambda: seen)
    assert list(sampler) == [(4, 2)]
    seen = 3  # of the epoch before
    assert list(sampler) == [(4, 0), (4, 1), (4, 2)]


def test_pixels_are_refused(videos: Videos) -> None:
    stored = videos(0, 2, 2, training=True)
    pixels = VideoDataset(stored.records, WindowSampler(), [ResizeCrop(16)], training=True, seed=0)
    with pytest.raises(InputError, match="need stored features"):
        TrialSteps("train", [TrialVideos(stored, ["a"]), TrialVideos(pixels, ["a"])], batch_size=2)


@pytest.mark.parametrize(
    ("sizes", "most", "wanted"),
    [
        ([25, 25, 25, 25, 25], 2, [[0], [1, 2], [3, 4]]),
        ([25, 24, 40, 25], 8, [[0, 1, 3], [2]]),
        ([25], 8, [[0]]),
        ([], 8, []),
    ],
)
def test_groups(sizes: list[int], most: int, wanted: list[list[int]]) -> None:
    assert groups(sizes, batch_size=32, most=most) == wanted


def test_groups_hold_every_trial_once() -> None:
    found = groups([20 + 7 * (trial % 5) for trial in range(203)], batch_size=10, most=16)
    assert sorted(trial for group in found for trial in group) == list(range(203))
    assert max(map(len, found)) <= 16
