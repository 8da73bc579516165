"""The temporal encoder: where it starts, what padding may not do, more frames than positions."""

import logging
from typing import Any

import pytest
import torch
from torch import nn

from data_modules.errors import InputError
from prompt_video.model.temporal import TemporalEncoder


def features(rows: int = 3, frames: int = 6, width: int = 16) -> torch.Tensor:
    return torch.randn(rows, frames, width, generator=torch.Generator().manual_seed(0))


def mask_of(*lengths: int, frames: int = 6) -> torch.Tensor:
    return torch.arange(frames) < torch.tensor(lengths).unsqueeze(1)


def encoder(**settings: Any) -> TemporalEncoder:  # noqa: ANN401 - handed on
    torch.manual_seed(1)
    return TemporalEncoder(16, **{"num_layers": 2, "num_heads": 4, "start": "random", "position_std": 0.5, **settings})


@pytest.mark.parametrize("settings", [{"start": "frozen"}, {"num_layers": 0}, {"num_layers": 0, "start": "frozen"}])
def test_starts_exactly_at_the_mean(settings: dict[str, Any]) -> None:
    mask = mask_of(6, 4, 1)
    found = encoder(**settings)(features(), mask)
    wanted = torch.stack([row[:length].mean(0) for row, length in zip(features(), (6, 4, 1), strict=True)])
    torch.testing.assert_close(found, wanted)


def test_random_start_is_elsewhere() -> None:
    assert (encoder()(features(), mask_of(6, 6, 6)) - features().mean(1)).abs().max() > 0.1


def test_frozen_start_learns_the_order_of_frames() -> None:
    """Positions are taken out of the stream, not out of what the blocks see."""
    temporal = encoder(start="frozen")
    optimizer = torch.optim.SGD(temporal.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        torch.autograd.backward(temporal(features(), mask_of(6, 6, 6)).pow(2).sum())
        optimizer.step()
    assert temporal.positions.grad is not None
    assert temporal.positions.grad.abs().max() > 0
    turned = temporal(features().flip(1), mask_of(6, 6, 6))
    assert (turned - temporal(features(), mask_of(6, 6, 6))).abs().max() > 1e-4


@pytest.mark.parametrize("start", ["frozen", "random"])
@pytest.mark.parametrize("max_frames", [16, 4])
def test_padding_changes_nothing(start: str, max_frames: int) -> None:
    temporal = encoder(start=start, max_frames=max_frames)
    for block in temporal.blocks:
        for weight in block.parameters():
            nn.init.normal_(weight, std=0.3)
    mask = mask_of(6, 4, 5)
    wanted = [temporal(features()[i : i + 1, :n], mask[i : i + 1, :n])[0] for i, n in enumerate((6, 4, 5))]
    for filler in (0.0, 1e4, float("nan")):
        padded = torch.full((3, 9, 16), filler)
        padded[:, :6] = features()
        padded[~mask_of(6, 4, 5, frames=9)] = filler
        found = temporal(padded, mask_of(6, 4, 5, frames=9))
        torch.testing.assert_close(found, torch.stack(wanted))


def test_equals_torch_transformer_encoder() -> None:
    """The paper's blocks are pre-LN encoder layers without a norm behind them."""
    temporal = encoder()
    layer = nn.TransformerEncoderLayer(
        16, 4, 64, 0.0, lambda x: x * torch.sigmoid(1.702 * x), batch_first=True, norm_first=True
    )
    reference = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    for ours, theirs in zip(temporal.blocks, reference.layers, strict=True):
        pairs = {
            "self_attn.in_proj_weight": "qkv.weight",
            "self_attn.in_proj_bias": "qkv.bias",
            "self_attn.out_proj.weight": "out.weight",
            "self_attn.out_proj.bias": "out.bias",
            "linear1.weight": "fc1.weight",
            "linear1.bias": "fc1.bias",
            "linear2.weight": "fc2.weight",
            "linear2.bias": "fc2.bias",
            **{f"norm{i}.{name}": f"norm{i}.{name}" for i in (1, 2) for name in ("weight", "bias")},
        }
        for weight in ours.parameters():
            nn.init.normal_(weight, std=0.3)
        theirs.load_state_dict({their: ours.state_dict()[our] for their, our in pairs.items()})
    mask = mask_of(6, 4, 1)
    wanted = reference(features() + temporal.positions[:6], src_key_padding_mask=~mask)
    found = temporal.frame_features(features(), mask)
    torch.testing.assert_close(found[mask], wanted[mask])


def test_more_frames_than_positions(caplog: pytest.LogCaptureFixture) -> None:
    temporal = encoder(max_frames=3, num_layers=1)
    with caplog.at_level(logging.INFO):
        places = temporal._positions(mask_of(5, 3, frames=6))
        temporal(features(), mask_of(6, 6, 6))
    first, second, third = temporal.positions
    wanted = torch.stack([first, (first + second) / 2, second, (second + third) / 2, third])
    torch.testing.assert_close(places[0, :5], wanted)
    torch.testing.assert_close(places[1, :3], temporal.positions)
    assert len(caplog.records) == 1
    assert "interpolated" in caplog.text


def test_a_hidden_frame_in_the_middle_moves_no_position() -> None:
    temporal = encoder(max_frames=3, num_layers=1)
    whole, holed = mask_of(6, frames=6), mask_of(6, frames=6)
    holed[0, 2] = False
    torch.testing.assert_close(temporal._positions(holed), temporal._positions(whole))


def test_one_position_only() -> None:
    places = encoder(max_frames=1)._positions(mask_of(5, 1))
    torch.testing.assert_close(places[0, :5], encoder(max_frames=1).positions.expand(5, -1))


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(InputError, match="must divide the width 16, and 5 does not"):
        encoder(num_heads=5)


def test_size() -> None:
    number = sum(weight.numel() for weight in TemporalEncoder(512, num_layers=1).parameters())
    assert number == 3_152_384 + 16 * 512
    assert not list(TemporalEncoder(512, num_layers=0).parameters())
