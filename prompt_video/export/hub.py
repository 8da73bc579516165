"""Write a trained model as a folder for the HuggingFace hub."""

from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from safetensors.torch import save

from data_modules.files.json_files import write_json
from prompt_video.export.folders import filled, without_paths
from prompt_video.export.hub_card import card
from prompt_video.model.hub_folder import CONFIG, FORMAT, KIND, UNNAMED_BACKBONE, WEIGHTS, Learned, has_public_name


def write_hub_folder(learned: Learned, folder: Path, results: Mapping[str, Any] | None = None) -> None:
    """Write model card, licence, learned weights and config; see `prompt_video.model.hub_folder`.

    Args:
        learned: a checkpoint.
        folder: to write to.
        results: what the run of the checkpoint measured, its ``results.json``.

    Raises:
        InputError: when the folder holds something else, or cannot be written to.
    """
    spec, ours = public_spec(learned.spec), distribution("prompt-video")
    licence = ours.read_text("licenses/LICENSE")
    assert licence, "every package has its licence"
    config = {
        "kind": KIND,
        "format": FORMAT,
        "prompt_video_version": ours.version,
        "spec": spec,
        "task": without_paths(learned.task),
        "class_names": list(learned.class_names) if learned.class_names is not None else None,
        "trial": learned.trial,
        "calibration": learned.calibration,
        "rejection": learned.rejection,
    }
    state = {name: weight.detach().cpu().contiguous().clone() for name, weight in learned.state.items()}
    with filled(folder, KIND) as place:
        write_json(place / CONFIG, config)
        (place / WEIGHTS).write_bytes(save(state, {"format": "pt"}))
        (place / "LICENSE").write_text(licence, encoding="utf-8")
        text = card(config, state, results or {})
        (place / "README.md").write_text(text, encoding="utf-8")


def public_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec without the place of a local backbone, which means nothing elsewhere."""
    name = spec["backbone"]["name"]
    return {**spec, "backbone": {**spec["backbone"], "name": name if has_public_name(name) else UNNAMED_BACKBONE}}
