"""The families of frozen image-text models: which file reads a checkpoint, by the ``model_type`` of its config."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.towers import FrozenTowers
from prompt_video.io.suggest import nearest

FAMILIES: Mapping[str, str] = {  # imported where it is needed, and nothing else is
    "clip": "clip",
    "metaclip_2": "metaclip2",
}


def load_towers(files: CheckpointFiles) -> FrozenTowers:
    """Read a checkpoint and rebuild it for speed, in float32 on the CPU.

    Raises:
        InputError: when it is of no family that is known, incomplete, or damaged.
    """
    kind = str(files.config.get("model_type"))
    if kind not in FAMILIES:
        raise files.error(
            f"its config.json says that it is a '{kind}'{nearest(kind, FAMILIES).rstrip('.')}, and models of images "
            f"and texts are read of the kinds {', '.join(FAMILIES)}"
        )
    module = import_module(f"prompt_video.backbones.{FAMILIES[kind]}")
    return cast(Callable[[CheckpointFiles], FrozenTowers], module.load)(files)
