"""The loss against plain loops, and two processes against one."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from prompt_video.model.contrastive import gathered, pair_keys, positive_pairs, symmetric_nce

TWO = """
import sys, torch
from torch import distributed
from torch.nn import functional as F
from prompt_video.model.contrastive import gathered, pair_keys, positive_pairs, symmetric_nce

rank, folder = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
world = torch.load(f"{folder}/world.pt")
for first in world["firsts"]:
    weight = world["weight"].clone().requires_grad_()
    scale = world["scale"].clone().requires_grad_()
    own = slice(0, first) if rank == 0 else slice(first, None)
    features = F.normalize(world["rows"][own] @ weight, dim=-1)
    if not len(features):
        features = features + 0.0 * weight.sum()
    videos, texts = gathered(torch.cat([features, features.roll(1, 1)], 1)).chunk(2, 1)
    keys = gathered(pair_keys(world["videos"][own], world["captions"][own]))
    loss = symmetric_nce(videos @ texts.T * scale, positive_pairs(keys))
    loss.backward()
    for parameter in (weight, scale):  # as DDP
        distributed.all_reduce(parameter.grad)
        parameter.grad /= 2
    torch.save({"loss": loss.detach(), "weight": weight.grad, "scale": scale.grad}, f"{folder}/{first}.{rank}.pt")
"""


def by_loops(similarity: Tensor, positives: list[set[int]]) -> float:
    """Every row divides its probability evenly over what belongs to it."""
    total = 0.0
    for row, own in enumerate(positives):
        probabilities = [float(p) for p in similarity[row].softmax(0)]
        total -= sum(torch.tensor(probabilities[column]).log().item() for column in own) / len(own)
    return total / len(positives)


def test_the_loss_is_that_of_plain_loops() -> None:
    similarity = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    groups = [{0, 3}, {1}, {2}, {0, 3}, {4}]
    positives = torch.tensor([[column in own for column in range(5)] for own in groups])
    expected = (by_loops(similarity, groups) + by_loops(similarity.T, groups)) / 2
    assert symmetric_nce(similarity, positives).item() == pytest.approx(expected, abs=1e-6)


def test_without_repetitions_it_is_clips_loss() -> None:
    similarity = torch.randn(6, 6, generator=torch.Generator().manual_seed(1))
    target = torch.arange(6)
    expected = (F.cross_entropy(similarity, target) + F.cross_entropy(similarity.T, target)) / 2
    assert torch.allclose(symmetric_nce(similarity, torch.eye(6, dtype=torch.bool)), expected)


def test_captions_of_one_video_and_equal_captions_belong_together() -> None:
    keys = pair_keys(["a", "b", "a", "c"], ["one", "two", "three", "two"])
    assert positive_pairs(keys).tolist() == [
        [True, False, True, False],
        [False, True, False, True],
        [True, False, True, False],
        [False, True, False, True],
    ]


def test_another_caption_of_the_video_is_no_negative() -> None:
    """Pulling a video towards its second caption must not cost anything in the limit of sure answers."""
    positives = positive_pairs(pair_keys(["a", "a", "b"], ["one", "two", "three"]))
    sure = torch.where(positives, 50.0, 0.0)
    assert symmetric_nce(sure, positives).item() == pytest.approx(2 / 3 * torch.tensor(2.0).log().item(), abs=1e-5)


def test_keys_are_alike_in_every_process_and_take_any_text() -> None:
    assert pair_keys(["v"], ["caf\u00e9 \ud800"]).tolist() == [[-7063935088641709149, 2340719704126057357]]
    assert pair_keys([], []).shape == (0, 2)


def test_alone_nothing_is_gathered() -> None:
    rows = torch.randn(3, 2)
    assert gathered(rows) is rows


def test_two_processes_have_the_loss_and_the_gradients_of_one(tmp_path: Path, run_ranks: Callable[..., None]) -> None:
    """The first process has some of seven pairs; none or all of them, too."""
    firsts = [3, 1, 0, 7]
    generator = torch.Generator().manual_seed(2)
    world = {
        "rows": torch.randn(7, 4, generator=generator),
        "weight": torch.randn(4, 6, generator=generator),
        "scale": torch.tensor(5.0),
        "videos": ["a", "b", "a", "c", "d", "b", "e"],  # some meet only across the processes
        "captions": ["1", "2", "3", "4", "5", "6", "5"],
        "firsts": firsts,
    }
    torch.save(world, tmp_path / "world.pt")
    run_ranks(TWO, str(tmp_path))
    weight = torch.load(tmp_path / "world.pt")["weight"].requires_grad_()
    scale = torch.tensor(5.0, requires_grad=True)
    features = F.normalize(world["rows"] @ weight, dim=-1)
    positives = positive_pairs(pair_keys(world["videos"], world["captions"]))  # type: ignore[arg-type]
    loss = symmetric_nce(features @ features.roll(1, 1).T * scale, positives)
    loss.backward()  # type: ignore[no-untyped-call]
    for first, rank in product(firsts, range(2)):
        found = torch.load(tmp_path / f"{first}.{rank}.pt")
        assert found["loss"].item() == pytest.approx(loss.item(), abs=1e-6)
        torch.testing.assert_close(found["weight"], weight.grad, rtol=0, atol=1e-6)
        torch.testing.assert_close(found["scale"], scale.grad, rtol=0, atol=1e-6)
