"""One process, one frozen CLIP, three tasks: none of them notices the others."""

import copy
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from data_modules.batch import Batch
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.localization.detector import ProposalDetector
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.tasks.base import VideoTextTask, learned_weights
from prompt_video.tasks.localization import LocalizationTask
from prompt_video.tasks.recognition import RecognitionTask
from prompt_video.tasks.retrieval import RetrievalTask

TASKS = ("recognition", "localization", "retrieval")
TEXTS = ["a star moves left", "a small blue heart spins", "then a ring"]
Scores = dict[str, Tensor]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> dict[str, Path]:
    """The folders of three runs, one of each task."""
    return {name: request.getfixturevalue(name).folder for name in TASKS}


def make(name: str) -> VideoTextTask:
    """A task as its experiment describes it, without what it has learned."""
    prompt = partial(PromptLearner, num_prefix=2, num_suffix=1, too_long="truncate")
    temporal = partial(TemporalEncoder, num_layers=1, num_heads=4)
    if name == "recognition":
        return RecognitionTask(prompt=prompt, temporal=partial(temporal, max_frames=8), frozen_share=0.25)
    if name == "retrieval":
        return RetrievalTask(prompt=prompt, temporal=temporal, frozen_templates="video", frozen_share=0.3)
    detector = partial(ProposalDetector, channels=16, num_scales=4, num_proposals=20)
    return LocalizationTask(prompt=prompt, temporal=temporal, detector=detector, frames_inside=8)


def checkpoint(runs: Mapping[str, Path], name: str) -> Path:
    return runs[name] / "checkpoints" / "last.ckpt"


def load(runs: Mapping[str, Path], name: str) -> VideoTextTask:
    task = make(name)
    task.load_checkpoint(checkpoint(runs, name))
    return task.eval()


def pixels() -> Batch:
    """Two videos of eight frames, the second one shorter."""
    size, _ = FrozenBackbone("tiny").frames.shape
    chance = torch.Generator().manual_seed(0)
    return Batch(
        video=torch.randint(0, 256, (2, 8, 3, size, size), dtype=torch.uint8, generator=chance),
        mask=torch.arange(8) < torch.tensor([[8], [6]]),
        time_sec=torch.arange(8).float().expand(2, 8),
        text=TEXTS,
        subset="test",
        target=torch.tensor([0, 1]),
        video_id=["a", "b"],
        num_views=1,
        broken=[],
    )


@torch.no_grad()
def scores(task: VideoTextTask) -> Scores:
    """All that a task says of the same two videos."""
    batch = pixels()
    learned, frozen = task.model.test_scores(batch)
    said = {"learned": learned, "frozen": frozen}
    if isinstance(task, LocalizationTask):
        assert task.detector is not None
        coarse = task.detector(task.model.frame_features(batch), batch["mask"])
        said |= {field: value for field, value in coarse._asdict().items() if isinstance(value, Tensor)}
    return said


def assert_same(found: Mapping[str, Scores], expected: Mapping[str, Scores]) -> None:
    assert found.keys() == expected.keys()
    for name, own in expected.items():
        assert found[name].keys() == own.keys()
        assert all(torch.equal(found[name][what], value) for what, value in own.items()), name


@pytest.fixture(scope="module")
def alone(runs: dict[str, Path]) -> dict[str, Scores]:
    """What each says with a CLIP of its own."""
    said = {}
    for name in TASKS:
        task = load(runs, name)
        task.model.backbone.towers = copy.deepcopy(task.model.backbone.towers)
        said[name] = scores(task)
    return said


@pytest.fixture
def tasks(runs: dict[str, Path], alone: object) -> dict[str, VideoTextTask]:
    """All three, after each has been alone."""
    return {name: load(runs, name) for name in TASKS}


def test_they_share_one_clip_and_say_what_they_said_alone(
    tasks: dict[str, VideoTextTask], alone: dict[str, Scores]
) -> None:
    towers = tasks["recognition"].model.backbone.towers
    assert all(task.model.backbone.towers is towers for task in tasks.values())
    for _ in range(2):  # also after the others were asked
        assert_same({name: scores(task) for name, task in tasks.items()}, alone)
    learned = [said["learned"] for said in alone.values()]
    assert all(not torch.equal(learned[0], other) for other in learned[1:]), "and they are not all the same"
    assert all(torch.equal(said["frozen"], alone["recognition"]["frozen"]) for said in alone.values())


@pytest.mark.parametrize("name", TASKS)
def test_training_one_changes_nothing_of_the_others(
    tasks: dict[str, VideoTextTask], alone: dict[str, Scores], name: str
) -> None:
    task = tasks[name]
    frozen = {key: weight.clone() for key, weight in task.model.backbone.named_parameters()}
    task.train()
    optimizer = torch.optim.SGD([weight for weight in task.parameters() if weight.requires_grad], lr=0.1)
    torch.autograd.backward(F.cross_entropy(task.model(pixels()), torch.tensor([0, 1])))
    optimizer.step()
    others = {other: own for other, own in tasks.items() if other != name}
    assert all(not own.training for own in others.values())
    assert all(weight.grad is None for own in others.values() for weight in own.parameters())
    assert_same({other: scores(own) for other, own in others.items()}, {other: alone[other] for other in others})
    task.eval()
    assert not torch.equal(scores(task)["learned"], alone[name]["learned"])
    assert torch.equal(scores(task)["frozen"], alone[name]["frozen"])
    for key, weight in task.model.backbone.named_parameters():
        assert weight.grad is None
        assert torch.equal(weight, frozen[key])


@pytest.mark.parametrize("name", TASKS)
def test_moving_one_changes_nothing_of_the_others(
    tasks: dict[str, VideoTextTask], alone: dict[str, Scores], name: str
) -> None:
    """To the device where all are, and from mode to mode, as every run moves its task; CLIP has one mode."""
    towers = tasks[name].model.backbone.towers
    tasks[name].to("cpu").train().requires_grad_(False)
    assert not towers.training
    assert not any(own.training for other, own in tasks.items() if other != name)
    assert [other for other, own in tasks.items() if not learned_weights(own)] == [name]
    tasks[name].eval()
    assert all(task.model.backbone.towers is towers for task in tasks.values())
    assert_same({other: scores(task) for other, task in tasks.items()}, alone)


def test_what_is_saved_is_what_was_learned(tasks: dict[str, VideoTextTask], runs: dict[str, Path]) -> None:
    for name, task in tasks.items():
        state = task.state_dict()
        assert state.keys() == {key for key, weight in task.named_parameters() if weight.requires_grad}
        assert sum(weight.numel() for weight in state.values()) == learned_weights(task)
        assert not any("backbone" in key for key in state)
        saved = torch.load(checkpoint(runs, name), weights_only=True)["state_dict"]
        assert saved.keys() == state.keys()
        assert all(torch.equal(saved[key], state[key]) for key in state)
        results = json.loads((runs[name] / "results.json").read_text())
        assert results["learned_weights"] == learned_weights(task)
