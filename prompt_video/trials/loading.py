"""Batches of many trials at a time, each trial's videos in the order that it would have by itself."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypedDict, cast

import torch
from jaxtyping import Bool, Float, Int
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from data_modules.batch import Sample
from data_modules.errors import InputError
from data_modules.loading.dataset import VideoDataset
from data_modules.loading.loaders import loader_options
from data_modules.loading.sample_keys import KeySampler, LazyLoader, SampleKey
from data_modules.modules.trimmed import TrimmedDataModule

TEST_ROWS = 4096  # rows of a test batch over all trials: a row of 16 frames by 512 is 32 KiB


class TrialBatch(TypedDict):
    """A step of G trials; where a trial has fewer videos than the others, its rows end in padding.

    R = B * num_views rows; the views of one video stand next to each other.
    """

    features: Float[Tensor, "G R T D"]  # of the frozen CLIP, not normalised
    mask: Bool[Tensor, "G R T"]  # True: a real frame; False: padding
    target: Int[Tensor, "G B"]  # index into texts; -1: padding
    num_views: int
    texts: list[list[str]]  # each trial's candidates
    video_id: list[list[str]]  # each trial's videos, without padding
    subset: str  # train, or the name of a test


@dataclass(frozen=True)
class TrialVideos:
    """One part of one trial.

    Args:
        dataset: its videos, over feature stores.
        class_names: that they are scored against.
    """

    dataset: VideoDataset
    class_names: Sequence[str]


class TrialSteps(Dataset[TrialBatch]):
    """Step s of epoch e of all trials is item (e, s).

    Args:
        part: ``train``, or the name of a test.
        trials: each trial's videos. While training they must make equally many steps; see `groups`.
        batch_size: videos of each trial in a step.
        drop_last: of training: an epoch is full steps only.
    """

    def __init__(self, subset: str, trials: Sequence[TrialVideos], batch_size: int, *, drop_last: bool = False) -> None:
        if any(trial.dataset.crops for trial in trials):
            raise InputError(
                "trials that are trained many at a time need stored features: set data.features to 'auto' or to the "
                "path of a feature store, or train them one by one."
            )
        self.subset, self.trials, self.batch_size = subset, list(trials), batch_size
        self.multiple_of = batch_size if drop_last else 1
        steps = [_num_steps(len(trial.dataset), batch_size, drop_last=drop_last) for trial in trials]
        self.num_steps = max(steps)
        assert min(steps) == self.num_steps or not self.trials[0].dataset.training

    def __len__(self) -> int:
        return self.num_steps

    def __getitem__(self, step: tuple[int, int]) -> TrialBatch:
        samples = [cast("list[Sample]", trial.dataset.__getitems__(self._draws(trial, *step))) for trial in self.trials]
        num_views, num_frames, width = next(sample["features"] for own in samples for sample in own).shape
        num_videos = max(len(own) for own in samples)
        features = torch.zeros(len(samples), num_videos, num_views, num_frames, width)
        target = torch.full((len(samples), num_videos), -1)
        for trial, own in enumerate(samples):
            for place, sample in enumerate(own):
                features[trial, place], target[trial, place] = sample["features"], sample["target"]
        real = target.ge(0).repeat_interleave(num_views, dim=1)
        return TrialBatch(
            features=features.flatten(1, 2),
            mask=real.unsqueeze(-1).repeat(1, 1, num_frames),
            target=target,
            num_views=num_views,
            texts=[list(trial.class_names) for trial in self.trials],
            video_id=[[sample["video_id"] for sample in own] for own in samples],
            subset=self.subset,
        )

    def _draws(self, trial: TrialVideos, epoch: int, step: int) -> list[SampleKey]:
        dataset = trial.dataset
        sampler = KeySampler(len(dataset), training=dataset.training, seed=dataset.seed, multiple_of=self.multiple_of)
        sampler.set_epoch(epoch)
        return list(sampler)[step * self.batch_size : (step + 1) * self.batch_size]


class StepSampler(Sampler[tuple[int, int]]):
    """The steps of an epoch, in order; of a resumed one, those that are left."""

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps
        self.epoch = 0
        self._seen: Callable[[], int] = lambda: 0

    def __len__(self) -> int:
        return self.num_steps

    def __iter__(self) -> Iterator[tuple[int, int]]:
        first = self._seen() % self.num_steps
        return iter([(self.epoch, step) for step in range(first, self.num_steps)])

    def leave_out(self, seen: Callable[[], int]) -> None:
        """As that of `KeySampler`, in steps."""
        self._seen = seen

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of every epoch."""
        self.epoch = epoch


class TrialsData(LightningDataModule):
    """The videos of the trials of one stack.

    Args:
        train: the training steps.
        tests: the test steps, by the name of the test.
        num_workers: processes that load data; 0 loads in the main process, None chooses, see `loader_options`.
    """

    def __init__(self, train: TrialSteps, tests: Mapping[str, TrialSteps], num_workers: int | None = None) -> None:
        super().__init__()
        self.train, self.tests, self.num_workers = train, dict(tests), num_workers

    @classmethod
    def of(cls, data: TrimmedDataModule, numbers: Sequence[int]) -> "TrialsData":
        """Some of the trials of a data set."""

        def steps(subset: str, batch_size: int | None) -> TrialSteps:
            training = subset == "train"
            trials = [
                TrialVideos(
                    data.dataset(subset, training=training, number=number), data.subset(subset, number).class_names
                )
                for number in numbers
            ]
            if batch_size is not None:
                for trial in trials:
                    data.full_batches_of(len(trial.dataset))
                return TrialSteps(subset, trials, batch_size, drop_last=data.drop_last)
            return TrialSteps(subset, trials, max(1, TEST_ROWS // (len(trials) * _views(trials[0]))))

        tests = {name: steps(name, None) for name in data.trials[numbers[0]].tests}
        return cls(steps("train", data.batch_size), tests, data.num_workers)

    def train_dataloader(self) -> DataLoader[TrialBatch]:
        """Each trial's own order."""
        loader, sampler = self._loader(self.train)
        if self.trainer is not None:
            progress = self.trainer.fit_loop.epoch_loop.batch_progress
            sampler.leave_out(lambda: progress.current.ready)
        return loader

    def test_dataloader(self) -> list[DataLoader[TrialBatch]]:
        """The videos of each test, in order."""
        return [self._loader(steps)[0] for steps in self.tests.values()]

    def _loader(self, steps: TrialSteps) -> tuple[DataLoader[TrialBatch], StepSampler]:
        sampler = StepSampler(len(steps))
        device = self.trainer.strategy.root_device if self.trainer else None
        loader: LazyLoader[TrialBatch] = LazyLoader(
            steps,
            batch_size=None,
            sampler=sampler,
            **loader_options(device, self.num_workers, stored=True, persistent=True),
        )
        return loader, sampler


def groups(sizes: Sequence[int], batch_size: int, most: int, *, drop_last: bool = False) -> list[list[int]]:
    """Which trials can be trained together: those with equally many steps an epoch, so that none is given more.

    Args:
        sizes: training videos of each trial.
        batch_size: videos in a step.
        most: trials in a group.
        drop_last: an epoch is full steps only.

    Returns:
        Groups of trial numbers; those with equally many steps are spread over as few groups as can be, evenly.
    """
    by_steps = defaultdict(list)
    for trial, size in enumerate(sizes):
        by_steps[_num_steps(size, batch_size, drop_last=drop_last)].append(trial)
    found = []
    for alike in by_steps.values():
        count = -(-len(alike) // most)
        bounds = [len(alike) * number // count for number in range(count + 1)]
        found += [alike[first:end] for first, end in pairwise(bounds)]
    return sorted(found)


def _num_steps(num_videos: int, batch_size: int, *, drop_last: bool = False) -> int:
    return num_videos // batch_size if drop_last else -(-num_videos // batch_size)


def _views(trial: TrialVideos) -> int:
    (sample,) = trial.dataset.__getitems__([(0, 0)])
    return len(cast(Sample, sample)["time_sec"])
