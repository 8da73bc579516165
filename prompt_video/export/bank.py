"""Class banks: the vectors of some texts in a file of their own, to be scored against what the graphs give.

    scores = embedding @ vectors.T / temperature + bias

Another bank of the same model may take its place at any time; the graphs stay as they are.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from data_modules.errors import InputError
from data_modules.files.atomic import write_whole
from prompt_video.io.former_settings import spec_of_then
from prompt_video.model.embedding import class_vectors
from prompt_video.model.model_spec import spec_of_model
from prompt_video.model.video_text_model import VideoTextModel

BANK_KIND = "prompt-video class bank 1"
_PASSING = ("init_std", "too_long", "position_std")  # settings that no vector of a trained model depends on


@dataclass(frozen=True)
class ClassBank:
    """Some classes of one model.

    Args:
        names: of the classes, in the order of the vectors.
        vectors: of the texts, each of length 1; of a linear probe, its rows.
        bias: added to the scores; all zero but for a linear probe.
        temperature: divides the products.
        model: fingerprint of the model, see `model_fingerprint`.
    """

    names: list[str]
    vectors: Float[Tensor, "K E"]
    bias: Float[Tensor, " K"]
    temperature: float
    model: str

    def scores(self, embedding: Float[Tensor, "N E"]) -> Float[Tensor, "N K"]:
        """The score of every embedding for every class: what the model itself says in a test."""
        return embedding @ self.vectors.T / self.temperature + self.bias

    def write(self, path: Path) -> None:
        """Write it; what is there already is replaced if it is a bank.

        Raises:
            InputError: when something else is there, or nothing can be written there.
        """
        if path.is_file() and path.stat().st_size and _metadata(path).get("kind") != BANK_KIND:
            raise InputError(f"{path} is there already and is no class bank; name another file.")
        tensors = {"vectors": self.vectors.contiguous(), "bias": self.bias.contiguous()}
        metadata = {
            "kind": BANK_KIND,
            "names": json.dumps(self.names, ensure_ascii=False),
            "temperature": repr(self.temperature),
            "model": self.model,
        }
        content = save(tensors, metadata)  # not save_file, which lets nobody else read the file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda partial: partial.write_bytes(content))
        except OSError as error:
            raise InputError(f"the class bank {path} cannot be written: {error.strerror}.") from error


def make_bank(model: VideoTextModel, names: Sequence[str]) -> ClassBank:
    """The bank of some texts; of a linear probe, of class names that it learned.

    Raises:
        InputError: when no text is named, one is empty or named twice, or the model cannot take it.
    """
    if not names or not all(name.strip() for name in names):
        raise InputError("a class bank needs the names of its classes, and none of them may be empty.")
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise InputError(f"the class '{twice}' is named twice.")
    with torch.no_grad():
        vectors, temperature, bias = class_vectors(model, names)
    vectors = vectors.float().cpu()
    bias = vectors.new_zeros(len(names)) if bias is None else bias.cpu()
    return ClassBank(list(names), vectors, bias, float(temperature), model_fingerprint(model))


def read_bank(path: Path, model: str | None = None) -> ClassBank:
    """Read a bank.

    Args:
        path: of the file.
        model: fingerprint of the model whose embeddings are to be scored, which stands in the ``config.json`` beside
            the graphs and in their metadata; None: whichever.

    Raises:
        InputError: when it is no bank, is damaged, or is one of another model.
    """
    if not path.is_file():
        raise InputError(f"there is no class bank {path}; `prompt-video export --ckpt CKPT --bank FILE` writes one.")
    about = _metadata(path)
    if about.get("kind") != BANK_KIND:
        raise InputError(
            f"{path} is no class bank of this version; `prompt-video export --ckpt CKPT --bank FILE` writes one."
        )
    if model is not None and about.get("model") != model:
        raise InputError(
            f"the class bank {path} was made with another model (fingerprint {about.get('model')}, and this one has "
            f"{model}): its scores would mean nothing. Write it anew from this model's checkpoint."
        )
    try:
        with safe_open(path, "pt") as file:
            bank = ClassBank(
                json.loads(about["names"]),
                file.get_tensor("vectors"),
                file.get_tensor("bias"),
                float(about["temperature"]),
                about["model"],
            )
        _check(bank)
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as a class bank: it is damaged or something else.") from error
    return bank


def _check(bank: ClassBank) -> None:
    """Refuse what no export has written.

    Raises:
        ValueError: when sizes do not fit, or a number is not finite.
    """
    if not isinstance(bank.names, list) or not all(isinstance(name, str) for name in bank.names):
        raise ValueError("the names are none")
    count = len(bank.names)
    if bank.vectors.dim() != 2 or bank.vectors.shape[0] != count or bank.bias.shape != (count,):
        raise ValueError("the sizes do not fit")
    if not (0 < bank.temperature < math.inf and bank.vectors.isfinite().all() and bank.bias.isfinite().all()):
        raise ValueError("a number is not finite")


def model_fingerprint(model: VideoTextModel) -> str:
    """A hash of all that a model's vectors depend on, its backbone too."""
    spec = spec_of_then(spec_of_model(model), model.backbone.context_length)
    about: dict[str, Any] = {
        "clip": spec["clip"]["fingerprint"],
        "prompt": [spec["prompt"]["kind"], _lasting(spec["prompt"]["settings"])],
        "temporal": _lasting(spec["temporal"]),
        **{name: spec[name] for name in ("frozen_templates", "frozen_share", "class_names")},
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, weight in sorted(model.named_parameters()):
        if not name.startswith("backbone."):
            digest.update(name.encode())
            digest.update(weight.detach().cpu().float().contiguous().numpy().data)
    return digest.hexdigest()[:32]


def _lasting(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _PASSING}


def _metadata(path: Path) -> dict[str, str]:
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read as a class bank: it is damaged or something else.") from error
