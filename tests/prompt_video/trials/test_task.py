"""Trials trained at a time by Lightning against each trial trained by itself."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from data_modules.errors import InputError
from data_modules.loading.dataset import Collate, VideoDataset
from data_modules.loading.sample_keys import KeySampler
from prompt_video.backbones.clip import FrozenCLIP
from prompt_video.model import losses
from prompt_video.model.linear_probe import LinearProbe
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder, mean_frame
from prompt_video.model.text_head import TextHead
from prompt_video.model.video_text_model import VideoTextModel
from prompt_video.tasks.classification_results import ClassificationResults
from prompt_video.tasks.optimization import Optimization
from prompt_video.trials.loading import TrialsData, TrialSteps, TrialVideos
from prompt_video.trials.stack import TrialStack
from prompt_video.trials.task import TrialsTask

Videos = Callable[..., VideoDataset]
SEEDS = [5, 6, 7]
NAMES = [["star", "a red circle"], ["two squares", "ring", "a ring"], ["car", "stars"]]
TRAIN, TEST, BATCH_SIZE, EPOCHS = (7, 8, 5), (9, 4, 7), 4, 3
PROMPT = partial(PromptLearner, num_prefix=2, num_suffix=2)
TEMPORAL = partial(TemporalEncoder, num_heads=4)
ADAMW = partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1, eps=1e-3)  # eps: see test_stack.py
OPTIMIZATION = Optimization(ADAMW, prompt_lr=0.03, warmup_steps=2, schedule="cosine")


def trials_data(videos: Videos, num_workers: int = 0) -> TrialsData:
    def steps(subset: str, counts: tuple[int, ...], first: int, batch_size: int) -> TrialSteps:
        trials = [
            TrialVideos(videos(first, count, len(names), training=subset == "train", seed=seed), names)
            for count, names, seed in zip(counts, NAMES, SEEDS, strict=True)
        ]
        return TrialSteps(subset, trials, batch_size)

    return TrialsData(steps("train", TRAIN, 0, BATCH_SIZE), {"test": steps("test", TEST, 10, 3)}, num_workers)


def trials_task(clip: FrozenCLIP, prompt: Callable[[int], TextHead] = PROMPT, **settings: Any) -> TrialsTask:  # noqa: ANN401 - handed on
    stack = TrialStack(clip, SEEDS, prompt, TEMPORAL, class_names=NAMES, frozen_templates=["a {}"])
    return TrialsTask(stack, [str(seed) for seed in SEEDS], SEEDS, OPTIMIZATION, **settings)


def trainer(**settings: Any) -> Trainer:  # noqa: ANN401 - handed on
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    return Trainer(**{"max_epochs": EPOCHS, "enable_checkpointing": False, **quiet, **settings})


def train_alone(
    clip: FrozenCLIP,
    trial: int,
    dataset: VideoDataset,
    prompt: Callable[[int], TextHead],
    text_consistency: float = 0.0,
    video_consistency: float = 0.0,
    clip_gradients: Callable[..., object] | None = None,
) -> VideoTextModel:
    torch.manual_seed(SEEDS[trial])
    model = VideoTextModel(clip, prompt, TEMPORAL, frozen_templates=["a {}"])
    model.set_vocabulary(NAMES[trial])
    sampler = KeySampler(len(dataset), training=True, seed=SEEDS[trial])
    loader: Any = DataLoader(dataset, batch_size=BATCH_SIZE, sampler=sampler, collate_fn=Collate("train", NAMES[trial]))
    made: Any = OPTIMIZATION.configure(model, EPOCHS * len(loader))
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        for batch in loader:
            made["optimizer"].zero_grad()
            loss = F.cross_entropy(model(batch), batch["target"])
            if text_consistency:
                texts = model.text_features(NAMES[trial]), model.frozen_text_features(NAMES[trial])
                loss = loss + text_consistency * losses.drift(*texts).mean()
            if video_consistency:
                mean = mean_frame(batch["features"], batch["mask"])
                loss = loss + video_consistency * losses.drift(model.video_features(batch), mean).mean()
            torch.autograd.backward(loss)
            if clip_gradients:
                clip_gradients(model.parameters(), 0.05)
            made["optimizer"].step()
            made["lr_scheduler"]["scheduler"].step()
    return model.eval()


def assert_same_weights(task: TrialsTask, models: list[VideoTextModel]) -> None:
    for trial, model in enumerate(models):
        for name, weight in model.learned_state().items():
            torch.testing.assert_close(task.stack.learned_state(trial)[name], weight, atol=1e-5, rtol=1e-5, msg=name)


@pytest.mark.parametrize(
    ("prompt", "pulls", "algorithm"),
    [
        (PROMPT, {}, None),
        (PROMPT, {"text_consistency": 2.0, "video_consistency": 1.0}, None),
        (LinearProbe, {"video_consistency": 1.0}, None),
        (PROMPT, {}, "norm"),
        (PROMPT, {}, "value"),
    ],
)
def test_equals_training_one_by_one(
    clip: FrozenCLIP,
    videos: Videos,
    prompt: Callable[[int], TextHead],
    pulls: dict[str, float],
    algorithm: Literal["norm", "value"] | None,
) -> None:
    task, data = trials_task(clip, prompt, **pulls), trials_data(videos)
    fit = trainer(gradient_clip_val=0.05, gradient_clip_algorithm=algorithm) if algorithm else trainer()
    fit.fit(task, datamodule=data)
    clip_gradients = {None: None, "norm": clip_grad_norm_, "value": clip_grad_value_}[algorithm]
    models = [
        train_alone(clip, trial, videos_of.dataset, prompt, **pulls, clip_gradients=clip_gradients)
        for trial, videos_of in enumerate(data.train.trials)
    ]
    assert_same_weights(task, models)

    fit.test(task, datamodule=data, verbose=False)
    for trial, (model, subset) in enumerate(zip(models, data.tests["test"].trials, strict=True)):
        batch = Collate("test", NAMES[trial])([subset.dataset[0, index] for index in range(TEST[trial])])
        wanted = ClassificationResults(NAMES[trial])
        with torch.no_grad():
            scores = (torch.unflatten(each.softmax(-1), 0, (-1, 2)).mean(1) for each in model.test_scores(batch))
            wanted.update(batch["video_id"], batch["target"], *scores)
        found = task.outcomes[trial]["test"]
        assert [(v.video_id, v.target, v.pred, v.in_top5, v.frozen_pred) for v in found.videos] == [
            (v.video_id, v.target, v.pred, v.in_top5, v.frozen_pred) for v in wanted.videos
        ]
        assert found.compute() == wanted.compute()


# The loader's sampler leaves out what was seen, of which Lightning does not know.
@pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable.*")
def test_resume_within_an_epoch_is_exact(clip: FrozenCLIP, videos: Videos, tmp_path: Path) -> None:
    whole = trials_task(clip)

    def saving() -> Trainer:
        save = ModelCheckpoint(tmp_path / "run", filename="{step}", every_n_train_steps=3, save_top_k=-1)
        return trainer(callbacks=[save], enable_checkpointing=True)

    saving().fit(whole, datamodule=trials_data(videos))
    third = (tmp_path / "run" / "step=3.ckpt").rename(tmp_path / "third.ckpt")  # of two steps an epoch
    shutil.rmtree(tmp_path / "run")
    state = torch.load(third, weights_only=True)
    assert set(state["state_dict"]) == {f"stack.{name}" for name in whole.stack.learned()}
    resumed = trials_task(clip)
    saving().fit(resumed, datamodule=trials_data(videos), ckpt_path=third)
    for name, weight in whole.stack.learned().items():
        assert torch.equal(resumed.stack.learned()[name], weight)


def test_a_checkpoint_of_other_trials_is_refused(clip: FrozenCLIP) -> None:
    checkpoint: dict[str, Any] = {"state_dict": {}}
    trials_task(clip).on_save_checkpoint(checkpoint)
    with pytest.raises(InputError, match="of other trials"):
        trials_task(clip, partial(PromptLearner, num_prefix=3)).on_load_checkpoint(checkpoint)


def test_loader_processes_change_nothing(clip: FrozenCLIP, videos: Videos) -> None:
    tasks = [trials_task(clip), trials_task(clip)]
    for task, num_workers in zip(tasks, (0, 1), strict=True):
        trainer(max_epochs=2).fit(task, datamodule=trials_data(videos, num_workers))
    for name, weight in tasks[0].stack.learned().items():
        assert torch.equal(tasks[1].stack.learned()[name], weight)


def test_a_probe_is_not_tested_on_names_that_it_never_learned(clip: FrozenCLIP, videos: Videos) -> None:
    task, data = trials_task(clip, LinearProbe), trials_data(videos)
    novel = [TrialVideos(trial.dataset, ["star", "new", "newer"]) for trial in data.train.trials]
    for trial in novel:
        trial.dataset.training = False
    data.tests["novel"] = TrialSteps("novel", novel, 3)
    trainer().test(task, datamodule=data, verbose=False)
    assert all(set(outcomes) == {"test"} for outcomes in task.outcomes)
