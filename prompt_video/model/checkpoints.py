"""What is saved of a trained model: reading it back, from a run's checkpoint or from a folder for the hub."""

import io
import json
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from data_modules.errors import InputError
from data_modules.features.manifest import Precision
from data_modules.files.atomic import write_whole
from data_modules.files.json_files import write_json
from data_modules.files.text_files import read_json
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.io.former_settings import spec_of_today
from prompt_video.io.run_files import BEFORE_LAST, CHECKPOINTS, LAST
from prompt_video.model.calibration import Calibration
from prompt_video.model.hub_folder import ABSENT, CONFIG, UNNAMED_BACKBONE, Learned, check_about, read_hub_folder
from prompt_video.model.hub_source import local_path
from prompt_video.model.model_spec import model_of_spec
from prompt_video.model.rejection import Rejection
from prompt_video.model.video_text_model import VideoTextModel

log = logging.getLogger(__name__)

CHECKPOINT_FORMAT = 3  # to be raised whenever an older program would read a checkpoint wrongly, or not at all
OLDEST_FORMAT = 2  # that is read


def read_checkpoint(path: Path, *, weights_only: bool = True) -> dict[str, Any]:
    """A checkpoint as it was saved.

    Args:
        path: the file.
        weights_only: read nothing that could run code.

    Raises:
        InputError: when the file cannot be read as one, or holds weights or an optimizer's memory that cannot be.
    """
    if not path.is_file():
        raise InputError(f"there is no checkpoint {path}.")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as parts:  # torch reads weights without looking at their checksums
                if (part := parts.testzip()) is not None:
                    raise zipfile.BadZipFile(part)
        checkpoint: object = torch.load(path, map_location="cpu", weights_only=weights_only)
    except Exception as error:  # a damaged pickle can raise anything
        # What a pickle's reader says of other files, such as "pop from empty list", tells nobody anything.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged, or another file"
        raise InputError(f"{path} cannot be read as a checkpoint: {reason}. {_instead(path)}") from error
    if not isinstance(checkpoint, dict):
        raise InputError(f"{path} is no checkpoint. {_instead(path)}")
    _check_weights(path, checkpoint.get("state_dict"))
    states = checkpoint.get("optimizer_states", [])
    if not isinstance(states, list) or not all(map(_is_memory, states)):
        raise InputError(f"{path}: what it knows of the optimizer is damaged. {_instead(path)}")
    return checkpoint


def _check_weights(path: Path, weights: object) -> None:
    for name, weight in weights.items() if isinstance(weights, dict) else ():
        if isinstance(weight, torch.Tensor) and not weight.isfinite().all():
            raise InputError(f"{path}: the weight {name} is not finite. {_instead(path)}")


def _is_memory(state: object) -> bool:
    """Whether an optimizer knows the same of all weights of a group, in finite values; it takes anything at first."""
    try:
        memory, groups = state["state"], state["param_groups"]  # type: ignore[index]
        kept = [[memory[weight] for weight in group["params"] if weight in memory] for group in groups]
        values = [
            torch.as_tensor(value) for group in kept for one in group for value in one.values() if value is not None
        ]
        return all(len({frozenset(one) for one in group}) <= 1 for group in kept) and all(
            value.isfinite().all() for value in values
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError):
        return False


def _is_state(weights: object) -> bool:
    return isinstance(weights, dict) and all(isinstance(weight, torch.Tensor) for weight in weights.values())


def _instead(path: Path) -> str:
    before = path.with_name(BEFORE_LAST)
    if path.name == LAST and before.is_file():
        return f"The one before it is {before}, from which --ckpt last goes on."
    return "Name a run's checkpoints/last.ckpt or best.ckpt."


def last_checkpoint(run: Path) -> Path | None:
    """The last checkpoint of a run that can be read; it is said where that is the one before the last.

    Args:
        run: its folder.
    """
    folder = run / CHECKPOINTS
    for path in (folder / LAST, folder / BEFORE_LAST):
        try:
            read_checkpoint(path)
        except InputError as error:
            if path.exists():
                log.warning("%s", error)
        else:
            if path.name == BEFORE_LAST:
                log.warning("taking %s, the checkpoint before the last", path)
            return path
    return None


def spec_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its model, see `spec_of_model`.

    Raises:
        InputError: when it is none of this framework's, or of another format.
    """
    about = checkpoint.get("prompt_video")
    about = about if isinstance(about, Mapping) else {}
    spec, number = about.get("spec"), about.get("format")
    if not isinstance(spec, dict) or not isinstance(number, int) or not _is_state(checkpoint.get("state_dict")):
        raise InputError("this is no checkpoint of this framework.")
    if number < OLDEST_FORMAT:
        raise InputError(
            f"this checkpoint has format {number}, that of an older prompt-video, and this version reads format "
            f"{OLDEST_FORMAT} to {CHECKPOINT_FORMAT}: train again, or have the older version write a folder with "
            "`export --hub`, which is read as before."
        )
    if number > CHECKPOINT_FORMAT:
        raise InputError(
            f"this checkpoint has format {number}, and this version of prompt-video reads format {CHECKPOINT_FORMAT}: "
            "update prompt-video."
        )
    return dict(spec_of_today(spec))


def read_learned(path: Path) -> Learned:
    """What a checkpoint or a folder for the hub holds, or a model on it.

    Args:
        path: of a file or a folder, or ``user/model[@revision]``.

    Raises:
        InputError: when there is none, or it is damaged or of another version.
    """
    path = local_path(path)
    if path.is_dir():
        learned = read_hub_folder(path)
        _check_weights(path, learned.state)
        return learned
    return learned_of(read_checkpoint(path))


def learned_of(checkpoint: Mapping[str, Any]) -> Learned:
    """What a checkpoint holds that was read already.

    Raises:
        InputError: when it is none of this framework's, of another format, or says what no model can be.
    """
    spec, about = spec_of(checkpoint), checkpoint["prompt_video"]
    known = {name: absent if about.get(name) is None else about[name] for name, absent in ABSENT.items()}
    try:
        plain = json.loads(json.dumps({**known, "spec": spec}))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError("this checkpoint is damaged: what it says of its model is no plain data.") from error
    try:
        check_about(plain)
    except InputError as error:
        raise InputError(f"this checkpoint is damaged: {error}") from None
    return Learned(spec, checkpoint["state_dict"], **known)


def keep_rejection(path: Path, rule: Rejection) -> None:
    """Write into a checkpoint, or a folder for the hub, when a video shows none of the candidates.

    Args:
        path: of a file or a folder of this machine.
        rule: in the place of the one that it has.

    Raises:
        InputError: when it is neither, or cannot be written.
    """
    _keep(path, "rejection", rule.state())


def keep_calibration(path: Path, calibration: Calibration) -> None:
    """The same of the temperature of its probabilities."""
    _keep(path, "calibration", calibration.state())


def _keep(path: Path, name: str, state: dict[str, Any]) -> None:
    if path.is_dir():
        read_hub_folder(path)
        config = path / CONFIG
        about = cast("dict[str, Any]", read_json(config))
        write_json(config, {**about, name: state})
        return
    checkpoint = read_checkpoint(path)
    spec_of(checkpoint)
    checkpoint["prompt_video"][name] = state
    save_whole(path, checkpoint)


def save_whole(path: Path, content: object, before: Path | None = None) -> None:
    """As `write_whole`, a file of torch.

    Raises:
        WriteError: when the system refuses it.
    """
    buffer = io.BytesIO()  # torch, writing to a file, has other words for a full disk in every version
    torch.save(content, buffer)
    write_whole(path, lambda partial: partial.write_bytes(buffer.getbuffer()), before=before)


def open_model(
    learned: Learned, backbone: str | None = None, backbone_dtype: Precision = "float32", *, cut_texts: bool = False
) -> VideoTextModel:
    """The model with its learned weights, on the CPU, no longer to be trained.

    Args:
        learned: a checkpoint, or what a folder holds.
        backbone: where its backbone is: hub id or local folder; None: where it was.
        backbone_dtype: what it is to compute in, whatever it computed in while the model learned.
        cut_texts: of a text that is too long for the model, its beginning counts; otherwise it is refused.

    Raises:
        InputError: when the backbone is not there or is another one, or the weights do not fit.
    """
    name = backbone or learned.spec["backbone"]["name"]
    if name == UNNAMED_BACKBONE:
        raise InputError(
            "this model was trained on a backbone in a local folder, which it does not name; say where that is with "
            f"--backbone (its fingerprint is {learned.spec['backbone']['fingerprint']})."
        )
    spec = dict(learned.spec)
    if cut_texts and "too_long" in spec["prompt"]["settings"]:
        spec["prompt"] = {**spec["prompt"], "settings": {**spec["prompt"]["settings"], "too_long": "truncate"}}
    return restored(learned._replace(spec=spec), FrozenBackbone(name, backbone_dtype)).eval().requires_grad_(False)


def restored(learned: Learned, backbone: FrozenBackbone) -> VideoTextModel:
    """The model as it was when it was saved; what a task learns beside it is left out.

    Raises:
        InputError: when the backbone is another one, or the weights do not fit.
    """
    model = model_of_spec(learned.spec, backbone)
    model.load_learned_state(learned.of_model)
    return model
