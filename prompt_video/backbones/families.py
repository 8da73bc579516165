"""The families of frozen image-text models: which file reads a checkpoint, by the ``model_type`` of its config."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from prompt_video.backbones.checkpoint_files import CheckpointFiles
from prompt_video.backbones.names import full_name
from prompt_video.backbones.open_clip_names import PREFIX, OpenClipModel
from prompt_video.backbones.towers import FrozenTowers
from prompt_video.io.suggest import nearest

FAMILIES: Mapping[str, str] = {  # imported where it is needed, and nothing else is
    "clip": "clip",
    "metaclip_2": "metaclip2",
    "siglip": "siglip",
    "siglip2": "siglip",
}


def source_of(name: str) -> CheckpointFiles | OpenClipModel:
    """Find a model.

    Args:
        name: ``open_clip:...``, a short name of one, or what `CheckpointFiles.of` takes.

    Raises:
        InputError: when there is none of that name.
    """
    full = full_name(name)
    return OpenClipModel.of(full) if full.startswith(PREFIX) else CheckpointFiles.of(name)


def load_towers(files: CheckpointFiles | OpenClipModel) -> FrozenTowers:
    """Read a checkpoint and rebuild it for speed, in float32 on the CPU.

    Raises:
        InputError: when it is of no family that is known, incomplete, or damaged.
    """
    if isinstance(files, OpenClipModel):
        from prompt_video.backbones.open_clip_models import load

        return load(files)
    kind = str(files.config.get("model_type"))
    if kind not in FAMILIES:
        raise files.error(
            f"its config.json says that it is a '{kind}'{nearest(kind, FAMILIES).rstrip('.?')}, and models of images "
            f"and texts are read of the kinds {', '.join(FAMILIES)}"
        )
    module = import_module(f"prompt_video.backbones.{FAMILIES[kind]}")
    return cast(Callable[[CheckpointFiles], FrozenTowers], module.load)(files)
