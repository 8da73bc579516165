"""Videos without a split, divided by chance. Pure and seeded."""

from collections.abc import Collection, Sequence
from typing import TypeVar

import numpy as np

from data_modules.errors import InputError
from data_modules.protocols.trial import Split

T = TypeVar("T")


class Division:
    """The same way for the same seed.

    Args:
        val_fraction: share of the videos for validation, where there is no such split.
        test_fraction: share of the videos for testing, where there is no such split.
        seed: of the division.

    Raises:
        InputError: when nothing would be left for training.
    """

    def __init__(self, val_fraction: float, test_fraction: float, seed: int) -> None:
        if min(val_fraction, test_fraction) < 0 or val_fraction + test_fraction >= 1:
            raise InputError("data: val_fraction and test_fraction must be 0 or more and leave room for training.")
        self.fractions: dict[Split, float] = {"test": test_fraction, "val": val_fraction}
        self.seed = seed

    def held_out(self, videos: Sequence[T], named: Collection[Split | None], number: int = 0) -> dict[Split, list[T]]:
        """The videos to test and to validate on; one at least is left over.

        Args:
            videos: that may be trained on, in an order of their own.
            named: splits that the data names: they get no more.
            number: apart from all other draws of the same seed.
        """
        order = np.random.default_rng((self.seed, number)).permutation(len(videos)).tolist()
        drawn: dict[Split, list[T]] = {}
        for split, fraction in self.fractions.items():
            count = 0 if split in named else max(min(round(fraction * len(videos)), len(order) - 1), 0)
            drawn[split] = [videos[place] for place in order[:count]]
            del order[:count]
        return drawn
