"""The retrieval task on made-up batches: nothing usable, several views, several processes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from data_modules.batch import Batch, CaptionColumns, CaptionedRecord
from data_modules.errors import InputError
from data_modules.protocols.trial import Subset
from prompt_video.model.prompt import PromptLearner
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.tasks.retrieval import RetrievalTask
from prompt_video.tasks.retrieval_results import Pairs, RetrievalResults


def small_task(**options: Any) -> RetrievalTask:  # noqa: ANN401 - the task's own
    torch.manual_seed(0)
    prompt = partial(PromptLearner, num_prefix=2, num_suffix=1, too_long="truncate")
    temporal = partial(TemporalEncoder, num_layers=1, num_heads=4)
    task = RetrievalTask(prompt=prompt, temporal=temporal, **options)
    object.__setattr__(task, "log", lambda *arguments, **settings: None)  # there is no trainer
    return task


def batch_of(task: RetrievalTask, video_ids: list[str], texts: list[str], num_views: int = 1) -> Batch:
    """Made-up features: those of a video are drawn by its name."""
    rows = [
        torch.randn(num_views, 4, task.model.backbone.embed_dim, generator=torch.Generator().manual_seed(ord(name[-1])))
        for name in video_ids
    ]
    features = torch.cat(rows) if rows else torch.zeros(0, 0, task.model.backbone.embed_dim)
    return Batch(
        features=features,
        mask=torch.ones(features.shape[:2], dtype=torch.bool),
        time_sec=torch.zeros(features.shape[:2]),
        text=texts,
        subset="train",
        target=torch.full((len(video_ids),), -1),
        video_id=video_ids,
        num_views=num_views,
        broken=[],
        captions=CaptionColumns(video=torch.arange(len(video_ids))),
    )


def gradients(task: RetrievalTask, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss and gradients of a step."""
    loss = task.loss(batch)
    task.zero_grad()
    torch.autograd.backward(loss)
    learned = {name: weight.grad for name, weight in task.named_parameters() if weight.requires_grad}
    return loss.detach(), {name: gradient for name, gradient in learned.items() if gradient is not None}


@pytest.mark.parametrize("videos", [[], ["a"]], ids=["none", "one"])
@pytest.mark.parametrize("learn_temperature", [False, True])
@pytest.mark.parametrize("chunk", [None, 1])
def test_a_batch_without_negatives_changes_nothing(
    videos: list[str], learn_temperature: bool, chunk: int | None
) -> None:
    """Yet every weight has a gradient, as processes need it."""
    task = small_task(learn_temperature=learn_temperature, video_chunk=chunk, text_chunk=chunk)
    loss, found = gradients(task, batch_of(task, videos, ["a star"][: len(videos)]))
    assert loss == 0
    assert found.keys() == {name for name, weight in task.named_parameters() if weight.requires_grad}
    assert ("model.log_temperature" in found) == learn_temperature
    assert all(not gradient.any() for gradient in found.values())


def test_the_temperature_is_learned() -> None:
    task = small_task(learn_temperature=True)
    _, found = gradients(task, batch_of(task, ["a", "b", "c"], ["a star", "a ring", "hearts"]))
    assert found["model.log_temperature"] != 0


def test_half_precision_around_a_step_changes_little() -> None:
    task = small_task(video_chunk=2, text_chunk=2)
    batch = batch_of(task, ["a", "b", "c", "d"], ["a star", "a ring", "hearts", "a blue star"])
    loss, found = gradients(task, batch)
    with torch.autocast("cpu", torch.bfloat16):
        near_loss, near = gradients(task, batch)
        empty_loss, empty = gradients(task, batch_of(task, [], []))
    assert near_loss.dtype == empty_loss.dtype == torch.float32
    assert near_loss == pytest.approx(float(loss), rel=0.05)
    assert {name: own.dtype for name, own in near.items()} == {name: own.dtype for name, own in empty.items()}
    for name, own in found.items():
        assert near[name].dtype == torch.float32
        assert (near[name] - own).norm() <= 0.2 * own.norm() + 1e-6, name


def test_scores_are_the_mean_of_views_and_of_two_models() -> None:
    task = small_task(frozen_share=0.25).eval()
    batch = batch_of(task, ["a", "b"], ["a star", "a ring"], num_views=3)
    with torch.no_grad():
        learned, frozen = task._encoded(batch)
        mixed, plain = task.model.test_scores(batch)
    mixed, plain = mixed * task.model.temperature, plain * task.model.backbone.temperature
    for pairs, scores in ((learned, mixed), (frozen, plain)):
        of_videos = scores.view(2, 3, 2).mean(1)
        torch.testing.assert_close(pairs.videos @ pairs.texts.T, of_videos, rtol=0, atol=1e-6)


GLOO = """
from importlib import util
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

rank, file, folder, chunk = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]) or None
spec = util.spec_from_file_location("made", file)
made = util.module_from_spec(spec)
spec.loader.exec_module(made)
distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
task = made.small_task(learn_temperature=True, video_chunk=chunk, text_chunk=chunk)
task.forward = task.loss
parallel = DistributedDataParallel(task)
optimizer = torch.optim.SGD([weight for weight in task.parameters() if weight.requires_grad], lr=0.5)
for step in made.STEPS:
    optimizer.zero_grad()
    parallel(made.batch_of(task, *step[rank])).backward()
    optimizer.step()
torch.save(task.state_dict(), f"{folder}/{rank}.pt")
"""
A, B, C, D = ("a", "a star"), ("b", "a ring"), ("c", "two hearts"), ("d", "a blue star")


def _columns(*pairs: tuple[str, str]) -> tuple[list[str], list[str]]:
    return [video_id for video_id, _ in pairs], [text for _, text in pairs]


STEPS = [  # the batches of two processes
    (_columns(A, B), _columns(C, D)),
    (_columns(A, C, D), _columns()),
    (_columns(), _columns(B, D)),
    (_columns(), _columns()),
    (_columns(D, A), _columns(B)),
]


@pytest.mark.parametrize("chunk", [0, 1])
def test_two_processes_of_which_one_has_nothing(tmp_path: Path, run_ranks: Callable[..., None], chunk: int) -> None:
    """No deadlock, and the weights of one process that is given all pairs."""
    run_ranks(GLOO, str(Path(__file__)), str(tmp_path), str(chunk))
    task = small_task(learn_temperature=True)
    before = {name: weight.clone() for name, weight in task.state_dict().items()}
    optimizer = torch.optim.SGD([weight for weight in task.parameters() if weight.requires_grad], lr=0.5)
    for (videos, texts), (more_videos, more_texts) in STEPS:
        optimizer.zero_grad()
        torch.autograd.backward(task.loss(batch_of(task, videos + more_videos, texts + more_texts)))
        optimizer.step()
    both = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    for name, weight in task.state_dict().items():
        assert torch.equal(both[0][name], both[1][name]), name
        torch.testing.assert_close(both[0][name], weight, rtol=0, atol=1e-5)
        assert not torch.equal(weight, before[name])


@pytest.fixture
def found() -> Callable[[], RetrievalResults]:
    records = tuple(CaptionedRecord(name, Path(name), captions=(f"{name} 1", f"{name} 2")) for name in "abc")
    return lambda: RetrievalResults(Subset((), records))


def test_batches_in_any_order_give_the_order_of_the_part(found: Callable[[], RetrievalResults]) -> None:
    videos, texts = torch.eye(3), torch.eye(3).repeat_interleave(2, 0)
    whole, parts = found(), found()
    pairs = Pairs(videos, texts)
    whole.update(["a", "b", "c"], torch.tensor([0, 0, 1, 1, 2, 2]), pairs, pairs)
    for name, own in (("c", 2), ("a", 0), ("b", 1)):
        pairs = Pairs(videos[own : own + 1], texts[2 * own : 2 * own + 2])
        parts.update([name], torch.tensor([0, 0]), pairs, pairs)
    for results in (whole, parts):
        results.gather()
        answers = results.answers
        assert answers is not None
        assert answers.video_ids == ["a", "b", "c"]
        assert answers.captions == ["a 1", "a 2", "b 1", "b 2", "c 1", "c 2"]
        assert results.compute()["t2v/r@1"] == results.compute()["t2v/frozen_r@1"] == 1
    parts.reset()
    with pytest.raises(InputError, match="3 videos and their captions cannot be scored"):
        parts.gather()
