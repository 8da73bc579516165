"""Settings as earlier versions wrote them, in checkpoints, indexes, folders for the hub, runs and experiments.

What has another name now, and what is gone, stands here alone: files are brought up to date by it when they are read,
and a former name that is typed is refused with today's.
"""

from collections.abc import Mapping
from typing import Any

RENAMED = {"clip": "backbone", "clip_dtype": "backbone_dtype"}
GONE = {
    "context_length": "the positions are those of the backbone",
    "image_size": "what becomes of frames is the backbone's own",
}


def spec_of_today(spec: Any) -> Any:  # noqa: ANN401 - whatever stands there
    """A model's spec, see `spec_of_model`, in the words of today."""
    if not isinstance(spec, dict):
        return spec
    spec = _renamed(spec)
    if isinstance(prompt := spec.get("prompt"), dict) and isinstance(settings := prompt.get("settings"), dict):
        spec["prompt"] = {**prompt, "settings": _without_gone(settings)}
    return spec


def spec_of_then(spec: Mapping[str, Any], context_length: int) -> dict[str, Any]:
    """A spec in the words in which it is hashed: what was made before belongs to the same model.

    Args:
        spec: of a model.
        context_length: positions of its text encoder, of which a text head once had a setting.
    """
    settings = spec["prompt"]["settings"]
    if settings:
        settings = {**settings, "context_length": context_length}
    formerly = {name: former for former, name in RENAMED.items()}
    return {
        **{formerly.get(name, name): value for name, value in spec.items()},
        "prompt": {**spec["prompt"], "settings": settings},
    }


def task_of_today(arguments: Any) -> Any:  # noqa: ANN401 - whatever stands there
    """Arguments of a task, as a file or a run has them, in the words of today."""
    if not isinstance(arguments, dict):
        return arguments
    arguments = _renamed(arguments)
    if isinstance(prompt := arguments.get("prompt"), dict) and isinstance(own := prompt.get("init_args"), dict):
        arguments["prompt"] = {**prompt, "init_args": _without_gone(own)}
    return arguments


def experiment_of_today(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an experiment or of a run, in the words of today.

    A ``backbone`` was once also the file of sizes and learning rates that is the ``scale`` now; that of the toy was for
    the demonstrations.
    """
    settings, names_clip = dict(settings), "clip" in _arguments(settings.get("model"))
    for group, of_today in (("model", task_of_today), ("data", _without_gone)):
        if own := _arguments(settings.get(group)):
            settings[group] = {**settings[group], "init_args": of_today(own)}
    backbone, is_new = settings.get("backbone"), bool(settings.get("scale")) or not settings.get("method")
    if isinstance(backbone, str) and is_settings_file(backbone):
        del settings["backbone"]
        settings["scale"] = settings.get("scale") or backbone
    elif backbone == "tiny" and not is_new:
        settings["scale"] = "demo"
    if names_clip:  # the model's own goes before that of the file, which is the scale by now
        settings.pop("backbone", None)
    return settings


def _arguments(part: Any) -> dict[str, Any]:  # noqa: ANN401 - of a configuration
    own = part.get("init_args") if isinstance(part, dict) else None
    return own if isinstance(own, dict) else {}


def is_settings_file(backbone: str) -> bool:
    """Whether what is called a backbone is a file of settings, which is a scale now."""
    return backbone.endswith((".yaml", ".yml"))


def former_name(name: str) -> str | None:
    """The end of a sentence about a name that there was once; None where there was none."""
    if name in RENAMED:
        return f"; it is called '{RENAMED[name]}' now."
    return f" any more: {GONE[name]}; leave it out." if name in GONE else None


def _renamed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in RENAMED} | {
        RENAMED[name]: value for name, value in settings.items() if name in RENAMED and RENAMED[name] not in settings
    }


def _without_gone(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in GONE}
