"""Videos on disk to batches: Lightning data modules, protocols, decoding, sampling and the feature store."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_modules.registry import *  # noqa: F403


def __getattr__(name: str) -> object:
    # Imported late: files of annotations and scores are read without torch. Modules of this package begin otherwise.
    if name[:1].isupper():
        return getattr(import_module("data_modules.registry"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
