import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from prompt_video.localization.interpolation import interpolated

FRAMES = torch.tensor([[[10.0], [20.0], [40.0], [80.0], [160.0]]])
ALL = torch.ones(1, 5, dtype=torch.bool)


def at(positions: list[float], mask: Tensor = ALL, frames: Tensor = FRAMES) -> tuple[list[float], list[bool]]:
    features, real = interpolated(frames, mask, torch.tensor([0]), torch.tensor([positions]))
    return features[0, :, 0].tolist(), real[0].tolist()


def test_frames_stand_at_their_middles_and_what_lies_between_is_mixed() -> None:
    values, real = at([0.5, 1.0, 1.25, 2.5, 4.4])
    assert values == pytest.approx([10, 15, 17.5, 40, 152])
    assert real == [True] * 5


def test_outside_the_window_the_nearest_frame_is_taken() -> None:
    assert at([-100.0, 0.0, 0.4, 4.6, 5.0, 100.0]) == ([10, 10, 10, 160, 160, 160], [True] * 6)


def test_beyond_the_last_real_frame_that_one_is_taken_whatever_padding_holds() -> None:
    mask = torch.tensor([[False, True, True, False, False]])
    for fill in (0.0, float("nan"), float("inf")):
        frames = torch.where(mask[..., None], FRAMES, fill)
        values, real = at([-1.0, 1.0, 2.0, 2.7, 3.5, 4.9], mask, frames)
        assert values == [20, 20, 30, 40, 40, 40]
        assert real == [True] * 6


def test_beside_a_hidden_frame_the_real_neighbour_counts_alone() -> None:
    mask = torch.tensor([[True, False, False, True, True]])
    frames = torch.where(mask[..., None], FRAMES, float("nan"))
    values, real = at([0.5, 1.4, 1.5, 1.6, 2.4, 2.5, 2.6, 3.5, 4.0], mask, frames)
    assert values == [10, 10, 0, 0, 0, 0, 80, 80, 120]
    assert real == [True, True, False, False, False, False, True, True, True]


def test_a_window_without_a_real_frame_has_zeros() -> None:
    nothing = torch.zeros(1, 5, dtype=torch.bool)
    assert at([-1.0, 2.2, 9.0], nothing, torch.full((1, 5, 1), float("nan"))) == ([0.0] * 3, [False] * 3)


def test_each_list_of_positions_has_its_own_window() -> None:
    frames = torch.arange(12.0).reshape(2, 3, 2)
    rows, positions = torch.tensor([1, 0, 1]), torch.tensor([[0.5, 1.0], [2.5, 2.0], [9.0, 1.5]])
    features, real = interpolated(frames, torch.ones(2, 3, dtype=torch.bool), rows, positions)
    expected = [
        [frames[1, 0], frames[1, :2].mean(0)],
        [frames[0, 2], frames[0, 1:].mean(0)],
        [frames[1, 2], frames[1, 1]],
    ]
    assert_close(features, torch.stack([torch.stack(row) for row in expected]))
    assert real.all()


def test_no_list_at_all() -> None:
    features, real = interpolated(FRAMES, ALL, torch.empty(0, dtype=torch.long), torch.empty(0, 4))
    assert features.shape == (0, 4, 1)
    assert real.shape == (0, 4)


def test_a_window_of_one_frame() -> None:
    frames = torch.tensor([[[7.0]]])
    assert at([-1.0, 0.5, 3.0], torch.ones(1, 1, dtype=torch.bool), frames) == ([7.0] * 3, [True] * 3)
