"""The training loss that is logged: a mean over videos, in which a small last batch weighs as little as it holds."""

from typing import Any

from jaxtyping import Float
from lightning.pytorch import Trainer
from torch import Tensor


class LoggedLoss:
    """Mean loss over the videos of the steps of an epoch since the one that was logged last.

    The loss of a single step would be that of the last batch of an epoch now and then, which is another: of fewer
    videos and, in retrieval, of fewer rivals.
    """

    def __init__(self) -> None:
        self._total: Tensor | None = None
        self._count: Tensor | int = 0
        self._since = (0, 0)

    def add(
        self, loss: Float[Tensor, "*trials"], count: Tensor | int, since: tuple[int, int]
    ) -> Float[Tensor, "*trials"]:
        """The mean with one more step.

        Args:
            loss: mean over the videos of the step; of several trials at a time one each.
            count: of these videos; likewise.
            since: epoch, and how often it was logged before; the mean begins anew where either changes.
        """
        if since != self._since:
            self._total, self._count, self._since = None, 0, since
        own, before = loss.detach() * count, self._count
        self._total = own if self._total is None else self._total.to(own.device) + own
        self._count = (before.to(own.device) if isinstance(before, Tensor) else before) + count
        return self._total / (self._count.clamp(min=1) if isinstance(self._count, Tensor) else max(self._count, 1))

    def state(self) -> dict[str, Any]:
        """For a checkpoint to go on from."""
        return {"total": self._total, "count": self._count, "since": list(self._since)}

    def load(self, state: dict[str, Any] | None) -> None:
        """Go on from the state in a checkpoint; None of one that has none."""
        if state:
            self._total, self._count = state["total"], state["count"]
            self._since = (int(state["since"][0]), int(state["since"][1]))


def logged_since(trainer: Trainer) -> tuple[int, int]:
    """What the mean of the next step is of, see `LoggedLoss`."""
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return trainer.current_epoch, trainer.global_step // every
