"""A trained model as a folder of plain files, as the HuggingFace hub keeps them: learned weights and what they are of.

``config.json`` says what the model is, ``model.safetensors`` holds what was learned. There is no pickle in it, so that
reading a stranger's folder runs none of their code. The frozen CLIP is not in it.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from data_modules.errors import InputError

CONFIG, WEIGHTS = "config.json", "model.safetensors"
KIND, FORMAT = "prompt-video model", 1
UNNAMED_CLIP = "(a local folder)"  # in the place of a CLIP's name that only one machine could make something of


class Learned(NamedTuple):
    """What there is to know of a trained model, be it in a checkpoint or in such a folder.

    Args:
        spec: of the model, see `VideoTextModel.spec`.
        state: the learned weights, those of the task's own parts too.
        class_names: the candidates in training.
        task: what was done with a video around the model, see `VideoTextTask.looks_at`; empty if that is not known.
        trial: which trial of its protocol it learned.
    """

    spec: dict[str, Any]
    state: dict[str, Tensor]
    class_names: list[str] | None
    task: dict[str, Any]
    trial: str | None


def is_hub_folder(folder: Path) -> bool:
    """Whether there is one, whole or damaged."""
    return (folder / CONFIG).is_file() or (folder / WEIGHTS).is_file()


def read_hub_folder(folder: Path) -> Learned:
    """Read a folder that ``prompt-video export --hub`` wrote.

    Raises:
        InputError: when it is none, or is incomplete, damaged or of another version.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}.")
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(
                f"the folder {folder} has no {name}, and a model that `prompt-video export --hub` wrote has one; "
                "name the right folder, or fetch this one again."
            )
    config = _config(folder / CONFIG)
    try:
        state = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{folder / WEIGHTS} is damaged: {error}. Fetch or export it again.") from error
    return Learned(config["spec"], state, config["class_names"], config["task"], config["trial"])


def has_public_name(clip: str) -> bool:
    """Whether a CLIP can be found by its name on any machine: the built-in one, or one on the hub."""
    if clip == "tiny":
        return True
    is_id = re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", clip) is not None
    return is_id and not Path(clip).exists()


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: it cannot be read as JSON. Fetch or export it again.") from error
    if not isinstance(config, dict) or config.get("kind") != KIND:
        raise InputError(f"{path} is not of a model that `prompt-video export --hub` wrote; name the right folder.")
    if config.get("format") != FORMAT:
        raise InputError(
            f"{path} has format {config.get('format')}, and this version of prompt-video reads format {FORMAT}; "
            "update prompt-video, or export the checkpoint again."
        )
    about = {"class_names": None, "task": {}, "trial": None, **config}
    if lacking := _first_lacking(about):
        raise InputError(f"{path} is damaged: its {lacking} is missing or no such thing. Fetch or export it again.")
    return about


def _first_lacking(config: Mapping[str, Any]) -> str | None:
    spec, names = config.get("spec"), config["class_names"]
    if not isinstance(spec, dict):
        return "spec"
    for part, wanted in {"clip": ("name", "fingerprint", "dtype"), "prompt": ("kind", "settings")}.items():
        if not isinstance(spec.get(part), dict) or any(name not in spec[part] for name in wanted):
            return f"spec.{part}"
    settings: dict[str, type] = {"temporal": dict, "temperature": float, "learn_temperature": bool}
    for part, kind in settings.items():
        if not isinstance(spec.get(part), kind):
            return f"spec.{part}"
    if not isinstance(spec["prompt"]["settings"], dict):
        return "spec.prompt.settings"
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        return "class_names"
    return None if isinstance(config["task"], dict) else "task"
