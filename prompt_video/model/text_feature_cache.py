"""Text features that are computed once for as long as the texts and the weights behind them stay the same."""

from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor, nn

from prompt_video.compat import version_of


class TextFeatureCache:
    """The newest features of each text head: of two lists of texts, as controls read made-up names beside true ones."""

    def __init__(self) -> None:
        self._kept: dict[nn.Module, dict[object, Tensor]] = {}

    def features(
        self, head: nn.Module, texts: Hashable, learned: Sequence[Tensor], compute: Callable[[], Tensor]
    ) -> Tensor:
        """What ``compute`` gives, or gave.

        Args:
            head: whose features.
            texts: all else that they depend on, such as the texts and the device.
            learned: weights that they depend on; a change in place is noticed.
            compute: makes them.
        """
        state = (texts, *((id(weight), version_of(weight)) for weight in learned))
        kept = self._kept.setdefault(head, {})
        if state not in kept:
            # Not in inference mode: a training step may use what is kept.
            with torch.inference_mode(False), torch.no_grad():
                self._kept[head] = kept = {**dict([*kept.items()][-1:]), state: compute()}
        return kept[state]

    def forget(self, head: nn.Module) -> None:
        """Drop the features of one head."""
        self._kept.pop(head, None)
