"""Which model of open_clip a name means: ``open_clip:<architecture>[:<tag or file>]``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_modules.errors import InputError
from prompt_video.io.suggest import nearest

PREFIX = "open_clip:"
SCHEMES = ("hf-hub:", "local-dir:")  # open_clip's own: a model of the hub, or a folder, with its settings beside it
PIXELS = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True)
class OpenClipModel:
    """What open_clip is asked for.

    Args:
        name: as a person said it.
        architecture: as open_clip names it; with a scheme, all there is.
        weights: tag or file; None with a scheme.
        quick_gelu: whether the weights were trained with that activation, though the architecture has another.
        pixels: how frames are prepared, where open_clip would not know it.
        repository: on the hub, where the weights are fetched from if they are not in the cache.
    """

    name: str
    architecture: str
    weights: str | None = None
    quick_gelu: bool = False
    pixels: Mapping[str, Any] | None = None
    repository: str | None = None

    @classmethod
    def of(cls, name: str) -> "OpenClipModel":
        """Find a model.

        Args:
            name: beginning with `PREFIX`.

        Raises:
            InputError: when open_clip is missing, has no such model, or it is not clear which weights are meant or how
                frames are prepared for them.
        """
        open_clip, said = library(name), name.removeprefix(PREFIX)
        if said.startswith(SCHEMES):
            scheme, _, where = said.partition(":")
            if scheme == "hf-hub":
                return cls(name, said, repository=where)
            return cls(name, f"{scheme}:{Path(where).expanduser()}")
        architecture, _, weights = said.partition(":")
        architecture = architecture.replace("/", "-")
        if architecture not in open_clip.list_models():
            raise InputError(
                f"open_clip {open_clip.__version__} has no architecture '{architecture}'"
                f"{nearest(architecture, open_clip.list_models())}"
            )
        tags: list[str] = open_clip.list_pretrained_tags_by_model(architecture)
        settings = {tag: open_clip.get_pretrained_cfg(architecture, tag) for tag in tags}
        tag = weights or _only(name, tags)
        if tag not in settings:
            return cls(name, architecture, _file(name, tag, tags), pixels=_pixels(name, list(settings.values())))
        quick_gelu = _quick_gelu(name, architecture, settings[tag], open_clip.get_model_config(architecture))
        return cls(name, architecture, tag, quick_gelu, repository=settings[tag].get("hf_hub", "").strip("/") or None)

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes this model this one: files may be written anew."""
        said = self.weights or self.architecture.removeprefix("local-dir:")
        path = Path(said)
        files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
        return self.architecture, self.weights, *((file.name, file.stat().st_mtime_ns) for file in files)


def library(name: str) -> Any:  # noqa: ANN401 - open_clip is untyped
    """open_clip itself.

    Args:
        name: of the model that needs it.

    Raises:
        InputError: when it is not installed.
    """
    try:
        import open_clip
    except ModuleNotFoundError as error:
        raise InputError(
            f"the backbone '{name}' needs {error.name}, which is not installed: pip install 'prompt-video[open-clip]'."
        ) from error
    return open_clip


def _only(name: str, tags: Sequence[str]) -> str:
    """The weights of a name that says none."""
    if len(tags) != 1:
        known = f"one of {', '.join(tags)}, or a file" if tags else "a file, as open_clip has none of its own"
        raise InputError(f"the backbone '{name}' names no weights; write {name}:<weights>, which is {known}.")
    return tags[0]


def _file(name: str, weights: str, tags: Sequence[str]) -> str:
    path = Path(weights).expanduser()
    if not path.is_file():
        raise InputError(
            f"the backbone '{name}': there is no file {weights}, and open_clip's own weights are "
            f"{', '.join(tags) or 'none'}{nearest(weights, tags)}"
        )
    return str(path)


def _quick_gelu(name: str, architecture: str, trained: Mapping[str, Any], built: Mapping[str, Any]) -> bool:
    """What the weights were trained with; open_clip only warns where its architecture has another activation."""
    if built.get("quick_gelu") and not trained.get("quick_gelu"):
        raise InputError(
            f"the backbone '{name}': these weights were not trained with the activation quick_gelu, which the "
            f"architecture has; write {PREFIX}{architecture.removesuffix('-quickgelu')} instead."
        )
    return bool(trained.get("quick_gelu"))


def _pixels(name: str, settings: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """How frames are prepared for weights of a file, which does not say it.

    open_clip would take OpenAI's way, which is a wrong one for many architectures, without a word.
    """
    ways = [{key: setting[key] for key in PIXELS if key in setting} for setting in settings]
    if not ways or any(way != ways[0] for way in ways):
        raise InputError(
            f"the backbone '{name}': nobody says how frames are prepared for these weights, as those that open_clip "
            f"knows of this architecture {'differ in it' if ways else 'are none'}; put the file into a folder with its "
            f"open_clip_config.json, and write {PREFIX}local-dir:FOLDER."
        )
    return ways[0]
