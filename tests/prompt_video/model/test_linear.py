"""The product with learned weights against torch's, alone and of several models at once."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.testing import assert_close

from prompt_video.model.linear import Linear, faster_products


@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 5), (1, 5)], ids=str)
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...]) -> None:
    x, own, torchs = torch.randn(shape), Linear(5, 4), nn.Linear(5, 4)
    torchs.load_state_dict(own.state_dict())
    results = []
    for product in (own, torchs):
        rows = x.clone().requires_grad_()
        with faster_products():
            y = product(rows)
        y.square().sum().backward()
        results.append((y, rows.grad, product.weight.grad, product.bias.grad))
    assert_close(results[0], results[1])
    with torch.no_grad():
        assert_close(own(x), torchs(x))


def test_several_models_at_once() -> None:
    products = [Linear(5, 4) for _ in range(3)]
    stacked = {name: torch.stack([getattr(own, name).detach() for own in products]) for name in ("weight", "bias")}
    stacked = {name: weight.requires_grad_() for name, weight in stacked.items()}
    x = torch.randn(3, 2, 6, 5)
    with faster_products():
        y = vmap(lambda own, rows: functional_call(products[0], own, (rows,)))(stacked, x)
    y.square().sum().backward()
    for number, product in enumerate(products):
        product(x[number]).square().sum().backward()
        for name, weight in stacked.items():
            assert weight.grad is not None
            assert_close(weight.grad[number], getattr(product, name).grad)
