"""What metrics share that keep everything they are given until they compute."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric


class GatheredMetric(Metric):
    """Gathers rows of tensors alone, so that any backend can, from processes of which some may have none."""

    full_state_update = False
    higher_is_better = True
    # Shape of a row, which is empty for a number alone, and type of each state.
    rows: ClassVar[Mapping[str, tuple[tuple[int, ...], torch.dtype]]]

    def __init__(self) -> None:
        super().__init__()
        for name in self.rows:
            self.add_state(name, [], dist_reduce_fx="cat")

    def sync(
        self,
        dist_sync_fn: Callable[..., Any] | None = None,
        process_group: object = None,
        should_sync: bool = True,
        distributed_available: Callable[..., Any] | None = None,
    ) -> None:
        """As torchmetrics does it, which of itself gathers no integers where a process has no row."""
        self.fill()
        super().sync(dist_sync_fn, process_group, should_sync, distributed_available)

    def fill(self) -> None:
        """Give states that are empty their type and shape."""
        for name, (shape, dtype) in self.rows.items():
            state = getattr(self, name)
            if isinstance(state, list) and not state:
                state.append(torch.empty(0, *shape, dtype=dtype, device=self.device))

    def keep(self, *rows: Tensor) -> None:
        """Add rows to each state, in the order of `rows`."""
        for (name, (_, dtype)), row in zip(self.rows.items(), rows, strict=True):
            getattr(self, name).append(row.detach().to(self.device, dtype))
