"""What is saved of a trained model: reading it back, from a run's checkpoint or from a folder for the hub."""

from pathlib import Path
from typing import Any

import torch

from data_modules.errors import InputError
from prompt_video.clip import FrozenCLIP
from prompt_video.hub_folder import UNNAMED_CLIP, Learned, read_hub_folder
from prompt_video.model import VideoTextModel
from prompt_video.precision import Precision

CHECKPOINT_FORMAT = 1


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint as it was saved.

    Raises:
        InputError: when the file cannot be read as one.
    """
    if not path.is_file():
        raise InputError(f"there is no checkpoint {path}.")
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        # What a pickle's reader says of other files, such as "pop from empty list", tells nobody anything.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged, or another file"
        raise InputError(
            f"{path} cannot be read as a checkpoint: {reason}. Name a run's checkpoints/last.ckpt or best.ckpt."
        ) from error
    return checkpoint


def spec_of(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its model, see `VideoTextModel.spec`.

    Raises:
        InputError: when it is none of this framework's.
    """
    about = checkpoint.get("prompt_video")
    if about is None and "trials" in checkpoint:
        raise InputError(
            "this checkpoint holds the trials of a protocol side by side, as they are trained; a model of one trial is "
            "wanted: train that trial alone with --data.trial."
        )
    if about is None or about["format"] != CHECKPOINT_FORMAT:
        raise InputError("this is no checkpoint of this framework (or one of another version of it).")
    spec: dict[str, Any] = about["spec"]
    return spec


def read_learned(path: Path) -> Learned:
    """What a checkpoint or a folder for the hub holds.

    Raises:
        InputError: when there is none, or it is damaged or of another version.
    """
    if path.is_dir():
        return read_hub_folder(path)
    checkpoint = read_checkpoint(path)
    spec, about = spec_of(checkpoint), checkpoint["prompt_video"]
    names = about["class_names"]
    return Learned(
        spec,
        checkpoint["state_dict"],
        None if names is None else list(names),
        about.get("task") or {},
        about.get("trial"),
    )


def open_model(
    learned: Learned, clip: str | None = None, clip_dtype: Precision = "float32", *, cut_texts: bool = False
) -> VideoTextModel:
    """The model with its learned weights, on the CPU, no longer to be trained.

    Args:
        learned: a checkpoint, or what a folder holds.
        clip: where its CLIP is: hub id or local folder; None: where it was.
        clip_dtype: what CLIP is to compute in, whatever it computed in while the model learned.
        cut_texts: of a text that is too long for the model, its beginning counts; otherwise it is refused.

    Raises:
        InputError: when the CLIP is not there or is another one, or the weights do not fit.
    """
    name = clip or learned.spec["clip"]["name"]
    if name == UNNAMED_CLIP:
        raise InputError(
            "this model was trained on a CLIP in a local folder, which it does not name; say where that CLIP is with "
            f"--clip (its fingerprint is {learned.spec['clip']['fingerprint']})."
        )
    spec = dict(learned.spec)
    if cut_texts and "too_long" in spec["prompt"]["settings"]:
        spec["prompt"] = {**spec["prompt"], "settings": {**spec["prompt"]["settings"], "too_long": "truncate"}}
    model = VideoTextModel.from_spec(spec, FrozenCLIP(name, clip_dtype))
    # What a task learns beside the model is not part of it; imported weights hold nothing else, under shorter names.
    own = {name: weight for name, weight in learned.state.items() if name.startswith("model.")}
    model.load_learned_state(own or learned.state)
    return model.eval().requires_grad_(False)
