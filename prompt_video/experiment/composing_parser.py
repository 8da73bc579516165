"""The parser of an experiment: finds it by its name, and puts the model together that its file or a person asks for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from inspect import signature
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import get_loader
from omegaconf.errors import OmegaConfBaseException

from data_modules.files.regular_files import is_file
from prompt_video.experiment.composition import CHOOSE, choices_of, composed, laid_over, task_class
from prompt_video.experiment.config_errors import PARSER_MODE, ExperimentParser
from prompt_video.experiment.packaged import CHOICES, file_of, packaged
from prompt_video.io.former_settings import experiment_of_today
from prompt_video.io.parser_messages import ConfigError
from prompt_video.tasks.base import VideoTextTask


class ComposingParser(ExperimentParser):
    """Reads experiments whose model is named by a method, a scale and a backbone.

    ``--config NAME`` finds a packaged experiment. ``--method NAME`` and ``--scale NAME`` take the place of what an
    experiment's file says of its model but the task and the backbone, before anything is merged. ``--backbone NAME`` is
    ``--model.backbone``, and so is ``backbone`` in a file.
    """

    typed: Mapping[str, str] = {}
    has_composed = False

    def parse_args(self, args: Any = None, *rest: Any, **options: Any) -> Any:  # noqa: ANN401 - jsonargparse's signature
        """The words of a command line, in which names of experiments become paths."""
        if args is None:
            return super().parse_args(args, *rest, **options)
        words = [_with_path(word) for word in _joined(args)]
        backbones = [word for word in words if word.startswith("--backbone=")]
        words = [word for word in words if word not in backbones] + [f"--model.{word[2:]}" for word in backbones]
        pairs = (word.removeprefix("--").partition("=") for word in words)
        self.typed = {name: value for name, _, value in pairs if name in CHOICES}
        return super().parse_args(words, *rest, **options)

    def parse_string(self, content: str, *rest: Any, **options: Any) -> Any:  # noqa: ANN401 - jsonargparse's signature
        """The text of a file, in which the model is put together first."""
        return super().parse_string(self._composed(content), *rest, **options)

    def _composed(self, content: str) -> str:
        """The same text where there is nothing to put together; what is wrong in it, the parser tells."""
        read = _loaded(content)
        if not isinstance(read, dict):
            return content
        settings = experiment_of_today(read)
        content = content if settings == read else json.dumps(settings)
        named: dict[str, str] = {name: _absolute(settings[name]) for name in CHOICES if settings.get(name)}
        chosen, model, backbone = named | dict(self.typed), _model_of(settings), settings.pop("backbone", None)
        if not (chosen or backbone) or model is None or (task := task_class(model["class_path"])) is None:
            return content
        if not isinstance(own := model.get("init_args") or {}, dict):
            return content
        if not self.typed and set(signature(VideoTextTask).parameters) <= set(own):  # of a run: it is whole already
            return content
        if chosen and "method" not in chosen:
            raise ConfigError(f"a scale is that of a method: name the method, {' or '.join(packaged('method'))}.")
        backbones = [{"backbone": name} for name in (backbone, own.get("backbone")) if name]
        layers = [composed(task, **chosen) if chosen else {}, *backbones, {} if self.typed else own]
        self.has_composed = bool(chosen)
        whole = {"class_path": model["class_path"], "init_args": reduce(laid_over, layers)}
        if CHOOSE not in settings and chosen and (lists := choices_of(task, chosen["method"])):
            settings[CHOOSE] = lists
        return json.dumps({**settings, **chosen, "model": whole})


def _loaded(content: str) -> Any:  # noqa: ANN401 - what the text says
    try:
        return get_loader(PARSER_MODE)(content)
    except (yaml.YAMLError, OmegaConfBaseException):
        return None


def _model_of(settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a file says of its model, if it names the class of it."""
    model = settings.get("model")
    if isinstance(model, str) and is_file(Path(model)):
        model = _loaded(Path(model).read_text(encoding="utf-8"))
    if isinstance(model, str):
        return {"class_path": model}
    return model if isinstance(model, dict) and isinstance(model.get("class_path"), str) else None


def _joined(words: Sequence[str]) -> Iterator[str]:
    """Options and their values as one word each, where they tell which experiment it is."""
    following = iter(words)
    for word in following:
        option = "--config" if word == "-c" else word
        if (
            option in ("--config", "--backbone", *(f"--{name}" for name in CHOICES))
            and (value := next(following, None)) is not None
        ):
            yield f"{option}={value}"
        else:
            yield word


def _with_path(word: str) -> str:
    """The same word, with a path in the place of an experiment's name, and with a whole path for a file."""
    option, equals, value = word.partition("=")
    if option == "--config" and equals and not set(value) & set("\n{:"):  # a text of settings may stand there, too
        return f"{option}={file_of('experiment', value)}"
    return f"{option}={_absolute(value)}" if option.removeprefix("--") in CHOICES else word


def _absolute(name: str) -> str:
    return str(Path(name).absolute()) if is_file(Path(name)) else name
