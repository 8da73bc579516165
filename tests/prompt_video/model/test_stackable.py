"""Layers with stacked weights against torch's own, model by model, forward and backward."""

import pytest
import torch
from torch import Tensor, nn

from prompt_video.model import stackable

DEVICE_PATHS = {"oneDNN": torch.float32, "batched": torch.float64}


@pytest.mark.parametrize("dtype", DEVICE_PATHS.values(), ids=DEVICE_PATHS)
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", ["linear", "norm"])
def test_equals_separate_layers(kind: str, count: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    if kind == "linear":
        separate: list[nn.Module] = [nn.Linear(6, 4).to(dtype) for _ in range(count)]
        layer: nn.Module = stackable.Linear(6, 4)
    else:
        separate = [nn.LayerNorm(6).to(dtype) for _ in range(count)]
        layer = stackable.LayerNorm(6)
    for one in separate:
        for weight in one.parameters():
            nn.init.normal_(weight)
    for name in ("weight", "bias"):
        setattr(layer, name, nn.Parameter(torch.stack([one.get_parameter(name).detach() for one in separate])))
    x = torch.randn(count, 2, 5, 6, dtype=dtype, requires_grad=True)
    found: Tensor = layer(x)
    wanted = torch.stack([one(rows) for one, rows in zip(separate, x, strict=True)])
    torch.testing.assert_close(found, wanted)
    upstream = torch.randn_like(wanted)
    (of_x,) = torch.autograd.grad(wanted, x, upstream, retain_graph=True)
    torch.autograd.backward(wanted, upstream)
    x.grad = None
    torch.autograd.backward(found, upstream)
    torch.testing.assert_close(x.grad, of_x)
    for name in ("weight", "bias"):
        gradients = [one.get_parameter(name).grad for one in separate]
        torch.testing.assert_close(layer.get_parameter(name).grad, torch.stack([g for g in gradients if g is not None]))


def test_alone_they_are_torch_s_own() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 6)
    for ours, theirs in ((stackable.Linear(6, 4), nn.Linear(6, 4)), (stackable.LayerNorm(6), nn.LayerNorm(6))):
        theirs.load_state_dict(ours.state_dict())
        assert torch.equal(ours(x), theirs(x))
