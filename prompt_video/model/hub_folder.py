"""A trained model as a folder of plain files, as the HuggingFace hub keeps them: learned weights and what they are of.

``config.json`` says what the model is, ``model.safetensors`` holds what was learned. There is no pickle in it, so that
reading a stranger's folder runs none of their code. The frozen backbone is not in it.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from data_modules.errors import InputError
from data_modules.files.text_files import excerpt, read_json
from prompt_video.io.former_settings import spec_of_today
from prompt_video.model.calibration import Calibration
from prompt_video.model.kept_settings import check_settings, fits
from prompt_video.model.kinds import temporal_encoder, text_head
from prompt_video.model.rejection import Rejection
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel

CONFIG, WEIGHTS = "config.json", "model.safetensors"
KIND, FORMAT = "prompt-video model", 2
READ_FORMATS = (1, FORMAT)
# What a model need not say of itself.
ABSENT: dict[str, Any] = {"class_names": None, "task": {}, "trial": None, "calibration": None, "rejection": None}
UNNAMED_BACKBONE = "(a local folder)"  # in the place of a backbone's name that only one machine could make something of


class Learned(NamedTuple):
    """What there is to know of a trained model, be it in a checkpoint or in such a folder.

    Args:
        spec: of the model, see `spec_of_model`.
        state: the learned weights, those of the task's own parts too.
        class_names: the candidates in training.
        task: its kind, and which frames it scores, see `VideoTextTask.inference_config`; empty if that is not known.
        trial: which trial of its protocol it learned.
        calibration: of its probabilities, see `Calibration.state`; None: none was fitted.
        rejection: when a video shows none of the candidates, see `Rejection.state`; None: that is not said.
    """

    spec: dict[str, Any]
    state: dict[str, Tensor]
    class_names: list[str] | None
    task: dict[str, Any]
    trial: str | None
    calibration: dict[str, Any] | None = None
    rejection: dict[str, Any] | None = None

    @property
    def of_model(self) -> dict[str, Tensor]:
        """The weights of the model alone; imported ones hold nothing else, under shorter names."""
        return {name: weight for name, weight in self.state.items() if name.startswith("model.")} or self.state


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
    if config["spec"]["temporal"].get("num_layers", 0) > len(state):
        raise InputError(f"{folder / CONFIG} is damaged: its layers are not those of the weights. Fetch it again.")
    named = ("spec", "class_names", "task", "trial", "calibration", "rejection")
    return Learned(state=state, **{name: config[name] for name in named})


def has_public_name(backbone: str) -> bool:
    """Whether a backbone can be found by its name on any machine: the built-in one, or one on the hub."""
    if backbone == "tiny":
        return True
    is_id = re.fullmatch(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", backbone) is not None
    return is_id and not Path(backbone).exists()


def _config(path: Path) -> dict[str, Any]:
    config = read_json(path)
    if not isinstance(config, dict) or config.get("kind") != KIND:
        raise InputError(f"{path} is not of a model that `prompt-video export --hub` wrote; name the right folder.")
    if config.get("format") not in READ_FORMATS:
        raise InputError(
            f"{path} has format {excerpt(config.get('format'))}, and this version of prompt-video reads format "
            f"{FORMAT}; update prompt-video, or export the checkpoint again."
        )
    about = {**ABSENT, **config, "spec": spec_of_today(config.get("spec"))}
    try:
        check_about(about)
    except InputError as error:
        raise InputError(f"{path} is damaged: {error} Fetch or export it again.") from None
    return about


def _temporal(settings: object) -> tuple[type, object]:
    """The class of a temporal encoder and its own settings."""
    if not isinstance(settings, dict):
        return TemporalEncoder, settings
    kind = temporal_encoder(settings.get("kind", TemporalEncoder.__name__))
    return kind, {name: value for name, value in settings.items() if name != "kind"}


def check_about(config: Mapping[str, Any]) -> None:
    """Refuse a model that cannot be built, before anything is.

    Args:
        config: what JSON gives of all but the weights, with `ABSENT`.

    Raises:
        InputError: when something in it is missing or cannot be so.
    """
    spec = config.get("spec")
    if not isinstance(spec, dict):
        raise InputError("its spec is missing or no such thing.")
    for part, wanted in {"backbone": ("name", "fingerprint", "dtype"), "prompt": ("kind", "settings")}.items():
        if not isinstance(spec.get(part), dict) or any(name not in spec[part] for name in wanted):
            raise InputError(f"its spec.{part} is missing or no such thing.")
    if any(
        not isinstance(spec["backbone"][name], str) or "\0" in spec["backbone"][name]
        for name in ("name", "fingerprint")
    ):
        raise InputError("its spec.backbone is missing or no such thing.")
    try:
        head = text_head(spec["prompt"]["kind"])
    except InputError as error:
        raise InputError(f"its spec.prompt.kind cannot be {excerpt(spec['prompt']['kind'])}: {error}") from None
    check_settings(head, spec["prompt"]["settings"], "spec.prompt.settings")
    check_settings(*_temporal(spec.get("temporal")), "spec.temporal")
    own = {name: value for name, value in spec.items() if name not in ("backbone", "prompt", "temporal", "class_names")}
    check_settings(VideoTextModel, own, "spec")
    for name, value in (("spec.class_names", spec.get("class_names")), ("class_names", config["class_names"])):
        if not fits(value, Sequence[str] | None):
            raise InputError(f"its {name} cannot be {excerpt(value)}.")
    if lacking := [name for name in ("temperature", "learn_temperature", "class_names") if name not in spec]:
        raise InputError(f"its spec.{lacking[0]} is missing.")
    if spec["temperature"] is not None and spec["temperature"] <= 0:
        raise InputError(f"its spec.temperature must be greater than 0, not {spec['temperature']}.")
    if not fits(config["trial"], str | None) or not isinstance(config["task"], dict):
        raise InputError("its task or its trial is no such thing.")
    Calibration.of(config["calibration"])
    Rejection.of(config["rejection"])
