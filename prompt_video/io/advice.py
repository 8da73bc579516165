"""Libraries without what they say to those who work on them."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_advice(level: int) -> Iterator[None]:
    """Inside, no warning is shown and nothing is logged up to a level.

    Args:
        level: of `logging`.
    """
    before = logging.root.manager.disable
    logging.disable(level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
