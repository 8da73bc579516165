import numpy as np
import torch
from torch.testing import assert_close

from prompt_video.model import losses

TEXTS = [f"text {number}" for number in range(10)]


def test_some_candidates_keep_the_targets_and_their_meaning() -> None:
    target = torch.tensor([7, 2, 7])
    texts, own = losses.some_candidates(TEXTS, target, 5, np.random.default_rng(0))
    assert len(texts) == 5
    assert [texts[index] for index in own.tolist()] == ["text 7", "text 2", "text 7"]
    assert texts == sorted(texts)
    again, _ = losses.some_candidates(TEXTS, target, 5, np.random.default_rng(1))
    assert again != texts


def test_more_targets_than_candidates() -> None:
    texts, own = losses.some_candidates(TEXTS, torch.arange(6), 2, np.random.default_rng(0))
    assert texts == TEXTS[:6]
    assert own.tolist() == list(range(6))


def test_every_other_text_is_drawn_equally_often() -> None:
    drawn = [
        text
        for seed in range(900)
        for text in losses.some_candidates(TEXTS, torch.tensor([0]), 4, np.random.default_rng(seed))[0][1:]
    ]
    counts = torch.tensor([drawn.count(text) for text in TEXTS[1:]])
    assert counts.sum() == 900 * 3
    assert_close(counts.float(), torch.full((9,), 300.0), rtol=0.2, atol=0)


def test_drift() -> None:
    features = torch.randn(4, 8)
    assert_close(losses.drift(features, 3 * features), torch.zeros(4))
    assert_close(losses.drift(features, -features), torch.full((4,), 2.0))


def test_static_noise_moves_all_real_frames_of_a_video_alike() -> None:
    frames, mask = torch.randn(400, 5, 3), torch.ones(400, 5, dtype=torch.bool)
    mask[0, 3:] = False
    moved = losses.feature_noise(frames, mask, 0.5, np.random.default_rng(0)) - frames
    assert_close(moved[1:], moved[1:, :1].expand(-1, 5, -1), rtol=0, atol=1e-5)
    assert not moved[0, 3:].any()
    spread = frames.mean(1).std(0)
    assert_close(moved[:, 0].std(0), 0.5 * spread, rtol=0.15, atol=0)
    again = losses.feature_noise(frames, mask, 0.5, np.random.default_rng(0)) - frames
    assert torch.equal(moved, again)


def test_static_noise_of_one_video_is_none() -> None:
    frames, mask = torch.randn(1, 5, 3), torch.ones(1, 5, dtype=torch.bool)
    assert_close(losses.feature_noise(frames, mask, 0.5, np.random.default_rng(0)), frames)
