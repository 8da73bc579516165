"""What a model is, ready for JSON: all that is needed to build it again, and to refuse weights of another one."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from data_modules.errors import InputError
from data_modules.files.text_files import cut
from prompt_video.backbones.backbone import FrozenBackbone
from prompt_video.model.kinds import kind_of, temporal_encoder, text_head
from prompt_video.model.temporal import TemporalEncoder
from prompt_video.model.video_text_model import VideoTextModel


def spec_of_model(model: VideoTextModel) -> dict[str, Any]:
    """The settings of a model, its frozen backbone's fingerprint among them; its weights are `learned_state`."""
    backbone = model.backbone
    return {
        "backbone": {
            "name": backbone.name,
            "dtype": backbone.dtype,
            "fingerprint": backbone.fingerprint,
            "width": backbone.width,
            "embed_dim": backbone.embed_dim,
        },
        "prompt": {"kind": kind_of(model.prompt), "settings": model.prompt.settings()},
        "temporal": _temporal_spec(model.temporal),
        "temperature": model.temperature.item(),
        "learn_temperature": model.log_temperature.requires_grad,
        "frozen_templates": model.frozen_prompt.templates,
        "frozen_share": model.frozen_share,
        "class_names": model.prompt.vocabulary,
    }


def check_spec(model: VideoTextModel, spec: Mapping[str, Any]) -> None:
    """Refuse weights that were learned on another backbone, or in another shape.

    Args:
        model: that is to take them.
        spec: of the one that learned them.

    Raises:
        InputError: when they are no model's alike.
    """
    backbone = spec["backbone"]
    if backbone["fingerprint"] != model.backbone.fingerprint:
        raise InputError(
            f"these weights were learned on backbone '{backbone['name']}' (fingerprint {backbone['fingerprint']}), "
            f"and this is backbone '{model.backbone.name}' (fingerprint {model.backbone.fingerprint}); they do not "
            "work together."
        )
    given, own = _lasting(spec), _lasting(spec_of_model(model))
    wrong = sorted(name for name in given.keys() | own.keys() if given.get(name) != own.get(name))
    if wrong:
        raise InputError(
            "these weights were learned with other settings: "
            + ", ".join(f"{name} was {_told(given, name)} and is {_told(own, name)}" for name in wrong)
        )


def model_of_spec(spec: Mapping[str, Any], backbone: FrozenBackbone | None = None) -> VideoTextModel:
    """Build a model again; its learned weights come by `VideoTextModel.load_learned_state`.

    Args:
        spec: of it, see `spec_of_model`.
        backbone: its backbone; None: from where it was.

    Raises:
        InputError: when the backbone is not there or is another one.
    """
    backbone = backbone or FrozenBackbone(spec["backbone"]["name"], spec["backbone"]["dtype"])
    prompt = partial(text_head(spec["prompt"]["kind"]), **spec["prompt"]["settings"])
    settings = dict(spec["temporal"])
    temporal = partial(temporal_encoder(settings.pop("kind", TemporalEncoder.__name__)), **settings)
    options = {name: spec[name] for name in ("frozen_templates", "frozen_share") if name in spec}
    model = VideoTextModel(backbone, prompt, temporal, spec["temperature"], spec["learn_temperature"], **options)
    model.set_vocabulary(spec["class_names"] or [])
    check_spec(model, spec)
    return model


def _temporal_spec(temporal: TemporalEncoder) -> dict[str, Any]:
    """A temporal encoder's settings, and of another than `TemporalEncoder` its kind."""
    kind = kind_of(temporal)
    return temporal.settings() if kind == TemporalEncoder.__name__ else {"kind": kind, **temporal.settings()}


def _told(settings: Mapping[str, Any], name: str) -> str:
    return cut(str(settings.get(name)))


def _lasting(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that weights are bound to; others only matter before training, or to the reading of texts."""
    settings = {"prompt": spec["prompt"]["kind"], "class_names": spec["class_names"]}
    settings |= {f"prompt.{name}": value for name, value in spec["prompt"]["settings"].items()}
    settings |= {f"temporal.{name}": value for name, value in spec["temporal"].items()}
    passing = ("prompt.init_std", "prompt.too_long", "temporal.position_std")
    return {name: value for name, value in settings.items() if name not in passing}
