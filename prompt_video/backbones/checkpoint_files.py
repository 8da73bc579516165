"""The files of a checkpoint in HuggingFace's layout: a local folder, or a snapshot of the hub."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data_modules.errors import InputError
from data_modules.files.text_files import excerpt
from prompt_video.backbones.hub import snapshot_of
from prompt_video.backbones.names import full_name
from prompt_video.backbones.weights import HARMLESS, Weights

TINY = Path(__file__).parent / "tiny" / "weights"
_SIDES = ("image_size", "patch_size")  # that may be a pair
_MOST = {"num_hidden_layers": 1000}
_KINDS = {int: "a whole number above 0", float: "a number from 0 to 1", str: "a word", bool: "true or false"}
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read; of large ones an index


@dataclass(frozen=True)
class CheckpointFiles:
    """What is there of a checkpoint; each file is read when it is asked for.

    Args:
        name: as a person says it, for messages.
        folder: where the files are.
    """

    name: str
    folder: Path

    @classmethod
    def of(cls, name: str) -> "CheckpointFiles":
        """Find a checkpoint.

        Args:
            name: a short name, a local folder, or the id of a model on the hub.

        Raises:
            InputError: when there is none of that name, or it would have to be fetched and cannot be.
        """
        if not name.strip():
            raise InputError("the backbone has no name: give 'tiny', a local folder, or the id of one on the hub.")
        folder = TINY if name == "tiny" else Path(full_name(name)).expanduser()
        if folder.is_dir():
            return cls(name, folder.resolve())
        if folder.is_file():
            raise InputError(f"cannot load backbone '{name}': it is a file; name the folder that it is in.")
        if name == "tiny":
            raise InputError("the built-in CLIP 'tiny' is not there; `make tiny-clip` makes it.")
        return cls(full_name(name), snapshot_of(full_name(name)))

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes this checkpoint this one: a folder's files may be written anew."""
        files = sorted((path.name, path.stat().st_mtime_ns) for path in self.folder.iterdir() if path.exists())
        return self.folder, *files

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """What ``config.json`` says.

        Raises:
            InputError: when there is none.
        """
        config = self.read_json("config.json")
        if not config:
            raise self.error("it has no config.json")
        return config

    def tower_config(self, part: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of one tower.

        Args:
            part: ``text_config`` or ``vision_config``; old checkpoints say it a second time, which counts.
            defaults: what holds where the file says nothing.

        Raises:
            InputError: when the file has no such part, so that the model has no such tower, or a setting cannot be so.
        """
        said = self.config.get(part), self.config.get(f"{part}_dict")
        if not any(isinstance(one, dict) for one in said):
            raise self.error(
                f"its config.json describes no {part.removesuffix('_config')} encoder: only models of images and texts "
                "in one space can be used"
            )
        config = {**defaults, **(said[0] or {}), **(said[1] or {})}
        for name, default in defaults.items():
            if name in _SIDES and isinstance(sides := config[name], list) and sides:
                if any(side != sides[0] for side in sides):
                    said_sides = " x ".join(map(str, sides))
                    raise self.error(f"its image encoder has the {name} {said_sides}, and only squares can be used")
                config[name] = sides[0]
            self.check_setting(f"{part}.{name}", config[name], default)
        if config["hidden_size"] % config["num_attention_heads"]:
            raise self.error(
                f"its config.json divides {part}.hidden_size, {config['hidden_size']}, among "
                f"{config['num_attention_heads']} heads, which leaves a remainder"
            )
        return config

    def check_setting(self, name: str, value: object, default: object, file: str = "config.json") -> None:
        """Refuse a setting that cannot be: a size that is no positive number, and the like.

        Args:
            name: of the setting.
            value: what the file says.
            default: one that could be.
            file: where it stands.

        Raises:
            InputError: when it cannot be.
        """
        if not _is_like(name.rpartition(".")[2], default, value):
            wanted = _KINDS[type(default)]
            raise self.error(f"its {file} says that {name} is {excerpt(value)}, which should be {wanted}")

    @cached_property
    def preprocessor(self) -> Mapping[str, Any]:
        """What is said of the frames, in either of the files that may say it; empty where neither is there."""
        own = self.read_json("preprocessor_config.json")
        return own or self.read_json("processor_config.json").get("image_processor") or {}

    def read_json(self, file: str) -> dict[str, Any]:
        """The contents of a file; empty where there is none.

        Raises:
            InputError: when it is no object of JSON.
        """
        path = self.folder / file
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise self.error(f"its {file} cannot be read: {error}") from error
        if not isinstance(content, dict):
            raise self.error(f"its {file} holds no object")
        return content

    def weights(self) -> Weights:
        """All weights, in float32.

        Raises:
            InputError: when there are none, or they are damaged.
        """
        try:
            return Weights(self.name, dict(self._tensors()))
        except InputError:
            raise
        except Exception as error:  # damaged files can raise anything
            raise self.error(f"its weights cannot be read: {_first_line(error)}") from error

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for file in _WEIGHTS:
            if (self.folder / file).is_file():
                yield from _read(self.folder / file)
                return
            if shards := self.read_json(f"{file}.index.json").get("weight_map"):
                if not isinstance(shards, dict):
                    raise self.error(f"its {file}.index.json does not say in which file each weight is")
                for shard in sorted(set(shards.values())):
                    yield from _read(self.folder / shard)
                return
        raise self.error(f"it has no weights, {' or '.join(_WEIGHTS)}")

    def error(self, reason: str) -> InputError:
        """What to raise of a checkpoint that cannot be used.

        Args:
            reason: a clause.
        """
        return InputError(
            f"cannot load backbone '{self.name}': {reason}. It must be 'tiny', a local folder with a HuggingFace model "
            "(config, weights and tokenizer), or the id of one on the hub, which needs a network the first time."
        )


def _is_like(name: str, default: object, value: object) -> bool:
    """Whether a setting can stand in the place of its default, and asks for no more than any model has."""
    if isinstance(default, float):
        return isinstance(value, int | float) and type(value) is not bool and 0 <= value <= 1
    return type(value) is type(default) and (type(value) is not int or 0 < value <= _MOST.get(name, 10_000_000))


def _read(path: Path) -> Iterator[tuple[str, Tensor]]:
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping
                yield name, _numbers(name, file.get_tensor(name))
        return
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise ValueError(f"{path.name} holds something else than weights by their names")
    for name, tensor in content.items():
        yield name, _numbers(name, tensor)


def _numbers(name: str, tensor: Tensor) -> Tensor:
    """In float32, and not mapped: the file may be written anew.

    Raises:
        ValueError: of whole numbers, which mean others: they are quantised, unless they count positions.
    """
    if not tensor.is_floating_point() and not name.endswith(HARMLESS):
        raise ValueError(f"{name} is of whole numbers ({str(tensor.dtype).removeprefix('torch.')}), as if quantised")
    return tensor.to(torch.float32, copy=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".") or type(error).__name__
