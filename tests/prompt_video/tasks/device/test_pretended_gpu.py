"""The pretended GPU computes what the CPU computes, and catches what is left behind."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Scaled(nn.Module):
    """Two layers and a scale, which is moved with them only if it is a buffer."""

    scale: Tensor

    def __init__(self, *, buffer: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 3)
        scale = torch.linspace(1, 2, 8)
        if buffer:
            self.register_buffer("scale", scale)
        else:
            self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(F.gelu(self.first(x)) * self.scale)
        return result


def trained(device: torch.device | str, *, buffer: bool = True) -> list[Tensor]:
    """What three steps of training make of the weights, and a loss."""
    module = Scaled(buffer=buffer).to(device)
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    x, target = torch.randn(5, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 1, 2, 0, 1])
    for _ in range(3):
        optimizer.zero_grad()
        loss = F.cross_entropy(module(x.to(device)), target.to(device))
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(module.parameters(), 0.5)
        optimizer.step()
    return [*(weight.detach().cpu() for weight in module.parameters()), loss.detach().cpu()]


def test_training_is_as_on_the_cpu(gpu: Any) -> None:  # noqa: ANN401 - of conftest.py
    for found, wanted in zip(trained(gpu.device), trained("cpu"), strict=True):
        assert found.device.type == "cpu"
        assert torch.equal(found, wanted)


def test_a_tensor_that_is_left_behind_is_caught(gpu: Any) -> None:  # noqa: ANN401 - of conftest.py
    with pytest.raises(RuntimeError, match=r"aten::mul: \(8,\) is on the CPU"):
        trained(gpu.device, buffer=False)
    trained("cpu", buffer=False)


def test_what_meets_and_what_does_not(gpu: Any) -> None:  # noqa: ANN401 - of conftest.py
    there, here = torch.arange(6.0, device=gpu.device).view(2, 3), torch.ones(2, 3)
    assert there.device == gpu.device
    for operation in (torch.add, torch.matmul, torch.minimum, lambda one, other: torch.cat([one, other])):
        with pytest.raises(RuntimeError, match="is on the CPU"):
            operation(there, here)
    with pytest.raises(RuntimeError, match="is on the CPU"):
        here.mul_(there)
    with pytest.raises(RuntimeError, match="is on the CPU"):
        here[there > 2]
    with pytest.raises(RuntimeError, match="is on the CPU"):
        there.masked_fill(here > 2, 0.0)
    for to_numpy in (lambda: there.numpy(), lambda: np.asarray(there), lambda: torch.from_numpy(np.array(there))):
        with pytest.raises(TypeError, match="can't convert cuda:0"):
            to_numpy()
    assert torch.equal((there + torch.tensor(2.0)).cpu(), torch.arange(2.0, 8).view(2, 3)), "a number may be anywhere"
    assert there[torch.tensor([1])].device == gpu.device, "and an index"
    assert there.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (there > 3).nonzero().tolist() == [[1, 1], [1, 2]]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_copies_go_where_they_are_sent(gpu: Any, mode: Any) -> None:  # noqa: ANN401 - of conftest.py; of torch
    with mode():
        there = torch.zeros(3).to(gpu.device)
        back = there.cpu()
        there[1] = 7
        assert type(back) is Tensor
        assert (back.tolist(), there.tolist()) == ([0, 0, 0], [0, 7, 0])
        assert torch.tensor([1, 2]).to(there).tolist() == [1, 2]
        assert torch.tensor([1, 2]).to(there).device == gpu.device
        assert there.to(torch.zeros(1)).device.type == "cpu"
        made = torch.tensor([[3, 4]], device=there.device), torch.full((2,), 5, device="cuda"), there.new_ones(2)
        assert [value.tolist() for value in made] == [[[3, 4]], [5, 5], [1, 1]]
        assert all(value.device == gpu.device for value in made)
        back.copy_(there)
        assert back.tolist() == [0, 7, 0]
        assert back.device.type == "cpu"
        view = there[:2]
        view.add_(1)
        assert there.tolist() == [1, 8, 0]
