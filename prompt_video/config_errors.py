"""Mistakes in a configuration, said in one readable message with the nearest valid name."""

import re
from collections.abc import Iterator
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser

from data_modules.errors import InputError
from prompt_video.suggest import nearest


class ExperimentParser(LightningArgumentParser):
    """A parser that raises `InputError` instead of printing its usage and leaving."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Called by jsonargparse with everything that is wrong with the arguments."""
        raise InputError(message)
