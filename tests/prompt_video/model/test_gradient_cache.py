"""Encoding some rows at a time gives the results and the gradients of encoding them all at once."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from prompt_video.model.contrastive import symmetric_nce
from prompt_video.model.gradient_cache import in_chunks
from prompt_video.model.temporal import TemporalEncoder

ROWS, FRAMES, WIDTH = 11, 5, 8


@pytest.fixture
def encoder() -> TemporalEncoder:
    torch.manual_seed(0)
    return TemporalEncoder(WIDTH, num_layers=2, num_heads=2)


def gradients(encoder: TemporalEncoder, chunk_size: int | None, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    """Loss and gradients of one contrastive step over all rows."""
    encoder = encoder.to(dtype)
    encoder.zero_grad()
    generator = torch.Generator().manual_seed(1)
    frames = torch.randn(ROWS, FRAMES, WIDTH, generator=generator).to(dtype)
    mask = torch.arange(FRAMES) < torch.randint(1, FRAMES + 1, (ROWS, 1), generator=generator)
    texts = F.normalize(torch.randn(ROWS, WIDTH, generator=generator).to(dtype), dim=-1)
    weights = list(encoder.parameters())
    videos = F.normalize(in_chunks(encoder, (frames, mask), weights, chunk_size), dim=-1)
    loss = symmetric_nce(videos @ texts.T / 0.07, torch.eye(ROWS, dtype=torch.bool))
    loss.backward()  # type: ignore[no-untyped-call]
    found = [weight.grad.clone() for weight in weights if weight.grad is not None]
    assert len(found) == len(weights)
    return loss.detach(), found


@pytest.mark.parametrize("chunk_size", [1, 3, 4, 10, 11, 100])
def test_gradients_are_those_of_all_rows_at_once(encoder: TemporalEncoder, chunk_size: int) -> None:
    for dtype, near in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        plain_loss, plain = gradients(encoder, None, dtype)
        loss, found = gradients(encoder, chunk_size, dtype)
        torch.testing.assert_close(loss, plain_loss, rtol=0, atol=near)
        for own, expected in zip(found, plain, strict=True):
            # Relative to the largest: single precision adds in another order.
            assert (own - expected).abs().max() <= near * max(expected.abs().max().item(), 1)


def test_nothing_of_a_chunk_is_kept(encoder: TemporalEncoder) -> None:
    """Inner values are what a plain way keeps for the way back; here there are inputs and weights alone."""
    frames, mask = torch.randn(ROWS, FRAMES, WIDTH), torch.ones(ROWS, FRAMES, dtype=torch.bool)
    weights = list(encoder.parameters())
    known = {value.data_ptr() for value in (frames, mask, *weights)}

    def kept(chunk_size: int | None) -> list[Tensor]:
        found: list[Tensor] = []

        def note(value: Tensor) -> Tensor:
            if value.data_ptr() not in known:
                found.append(value)
            return value

        with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
            in_chunks(encoder, (frames, mask), weights, chunk_size)
        return found

    assert kept(2) == []
    assert kept(None)


def test_each_weight_gets_its_gradient_once(encoder: TemporalEncoder) -> None:
    """DDP counts how often."""
    times: dict[str, int] = {}
    for name, weight in encoder.named_parameters():
        count = partial(_count, times, name)
        weight.register_post_accumulate_grad_hook(count)  # type: ignore[no-untyped-call]
    gradients(encoder, 3, torch.float32)
    assert set(times.values()) == {1}
    assert times.keys() == dict(encoder.named_parameters()).keys()


def _count(times: dict[str, int], name: str, weight: Tensor) -> None:
    times[name] = times.get(name, 0) + 1


def test_weights_that_are_not_used_or_not_learned_have_no_gradient() -> None:
    used, frozen, idle = (nn.Parameter(torch.ones(2)) for _ in range(3))
    frozen.requires_grad_(False)
    rows = torch.randn(5, 2)
    in_chunks(lambda x: x * used * frozen, [rows], [used, frozen, idle], 2).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(used.grad, rows.sum(0))
    assert frozen.grad is None
    assert idle.grad is None


def test_the_way_back_computes_in_the_precision_of_the_way_there() -> None:
    weight = nn.Parameter(torch.randn(4, 4))
    seen: list[torch.dtype] = []

    def encode(x: Tensor) -> Tensor:
        product = x @ weight
        seen.append(product.dtype)
        return product

    with torch.autocast("cpu", torch.bfloat16):
        encoded = in_chunks(encode, [torch.randn(6, 4)], [weight], 3)
    encoded.float().sum().backward()  # type: ignore[no-untyped-call]
    assert seen == [torch.bfloat16] * 4
