"""The parts of the benchmark; each is a module that is imported when it is measured."""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_video.bench.plan import Measurement

PARTS = (
    "text_path",
    "gradient_cache",
    "trials",
    "encoder",
    "families",
    "decode",
    "store",
    "extraction",
    "detections",
    "retrieval_metrics",
    "search",
    "shared_backbone",
)


def load(names: Sequence[str]) -> dict[str, Sequence["Measurement"]]:
    """What is measured in each of the parts."""
    return {name: importlib.import_module(f"prompt_video.bench.{name}").MEASUREMENTS for name in names}
