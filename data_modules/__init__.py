"""Videos on disk to batches: Lightning data modules, protocols, decoding, sampling and the feature store."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_modules.registry import *  # noqa: F403


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    # Imported late: files of annotations and scores are read without torch. Modules of this package begin otherwise.
    if name[:1].isupper():
        return getattr(import_module("data_modules.registry"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
