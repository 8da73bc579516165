"""The training loss in the log: a mean over the videos since it was logged last."""

import pytest
import torch

from prompt_video.tasks.logged_loss import LoggedLoss

BATCHES = [(4.0, 64), (3.0, 64), (0.5, 2)] * 5  # epochs whose last batch is small, and has another loss


def logged(losses: LoggedLoss, first: int = 0, last: int = len(BATCHES)) -> dict[int, float]:
    """What is logged behind every fifth step."""
    means = {}
    for step in range(first, last):
        loss, count = BATCHES[step]
        mean = float(losses.add(torch.tensor(loss), count, (step // 3, step // 5)))
        if (step + 1) % 5 == 0:
            means[step + 1] = mean
    return means


def test_a_small_last_batch_weighs_as_little_as_it_holds() -> None:
    means = logged(LoggedLoss())
    for end, mean in means.items():
        own = BATCHES[max((end - 1) // 3 * 3, end - 5) : end]  # of its epoch
        assert mean == pytest.approx(sum(loss * count for loss, count in own) / sum(count for _, count in own))
    assert max(means.values()) - min(means.values()) < 0.6, "of single steps it is 3.5"
    assert min(means.values()) > 3.4


def test_it_goes_on_where_a_checkpoint_was_written() -> None:
    before, after = LoggedLoss(), LoggedLoss()
    logged(before, 0, 7)
    after.load(before.state())
    assert logged(after, 7) == {step: mean for step, mean in logged(LoggedLoss()).items() if step > 7}
    after.load(None)


def test_several_trials_have_means_of_their_own_and_batches_add_up_within_a_step() -> None:
    losses, counts = torch.tensor([[2.0, 6.0], [4.0, 0.0]]), torch.tensor([[3, 1], [1, 0]])
    several = LoggedLoss()
    first, second = (several.add(*step, (0, 0)) for step in zip(losses, counts, strict=True))  # gradients accumulate
    assert first.tolist() == [2.0, 6.0]
    assert second.tolist() == [2.5, 6.0]
    assert several.add(torch.tensor([1.0, 1.0]), torch.tensor([0, 2]), (0, 1)).tolist() == [0.0, 1.0]
