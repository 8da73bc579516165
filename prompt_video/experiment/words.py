"""What is wrong with the words of a command line, as far as it can be told before a library is loaded that learns.

Names of experiments, methods, data sets and settings are held against the files and the sources that they are of. What
is not known here, such as classes of one's own and what may stand in them, is left to the parser of the experiment.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from data_modules.errors import InputError
from prompt_video.backbones.names import check_name
from prompt_video.experiment.file_keys import OF_AN_OBJECT, check_file, check_fragment, is_loaded
from prompt_video.experiment.fragments import check_method
from prompt_video.experiment.option_names import EXPERIMENT_OPTIONS
from prompt_video.experiment.packaged import CHOICES, file_of, packaged
from prompt_video.experiment.sources import (
    DATA,
    GROUPS,
    MODEL,
    ancestors,
    arguments_in,
    arguments_of_any,
    classes_for,
    classes_in,
    trainer_arguments,
)
from prompt_video.io.bounded_yaml import safe_load
from prompt_video.io.former_settings import experiment_of_today
from prompt_video.io.parser_messages import ConfigError, no_option
from prompt_video.io.suggest import nearest
from prompt_video.io.verb_parser import underscored
from prompt_video.model.hub_source import is_hub_id

_GROUPS = {"data": DATA, "model": MODEL}
_EXAMPLES = {
    "data": "`class_path: HMDB51`; `prompt-video list data_sets` shows all",
    "model": "`class_path: RecognitionTask`",
}
_OF_ANY_PART = {*OF_AN_OBJECT, "help"}
_KNOWN = (
    "data_modules.",
    "prompt_video.",
    "torch.",
    "lightning.",
)  # classes of these have names that we know, or no settings of ours


@dataclass
class _Experiment:
    """What is asked for, by all files and all words.

    Args:
        classes: name of the class of each group; of several the last one.
        method: that is asked for.
        foreign: groups whose class may be one of the user's own.
        parts_foreign: groups in which classes of the user's own may stand.
    """

    classes: dict[str, str] = field(default_factory=dict)
    method: str | None = None
    foreign: set[str] = field(default_factory=set)
    parts_foreign: set[str] = field(default_factory=set)

    def take(self, group: str, path: object) -> None:
        """The class of a group."""
        if isinstance(path, str) and not path.endswith((".yaml", ".yml")):
            self.classes[group] = path.rpartition(".")[2]
            if _is_foreign(path):
                self.foreign.add(group)

    def known(self, group: str) -> Mapping[str, str]:
        """What can be told to any class of a group; empty where that is not known."""
        if group == "trainer":
            return trainer_arguments()
        return {} if group not in _GROUPS or group in self.foreign else arguments_in(_GROUPS[group])

    def known_within(self, group: str, kind: str) -> Mapping[str, str]:
        """The same of a part that is typed so."""
        if group in self.foreign | self.parts_foreign:
            return {}
        return arguments_of_any(classes_for(kind, GROUPS.get(group, ())))


def check_words(words: Sequence[str]) -> None:
    """Refuse what no experiment is, has or takes, with the nearest names.

    Args:
        words: what was typed after the verb, options of experiments alone.

    Raises:
        InputError: for the first mistake.
    """
    experiment = _Experiment()
    options = list(_options(words))
    _check_values(words, options)
    files = [file_of("experiment", value) for name, value in options if name == "config" and _is_name(value)]
    settings = {file: content for file in files if isinstance(content := _read(file), dict)}
    for file, content in settings.items():
        _take_file(experiment, file, content)
    for name, value in options:
        _take_word(experiment, name, value)
    for file, content in settings.items():
        check_file(file, experiment.foreign | experiment.parts_foreign)
        _check_named(experiment, file, content)
    for name, value in options:
        _check_option(experiment, name, value)
    _check_choices(experiment, dict(options))


def _check_values(words: Sequence[str], options: Iterable[tuple[str, str]]) -> None:
    """Options that say which experiment need a value, and stand before it."""
    if words and not words[0].startswith("-") and words[0] in packaged("experiment"):
        raise InputError(f"'{words[0]}' is one word too many; did you mean --config {words[0]}?")
    for name, value in options:
        if name in ("config", "backbone", *CHOICES) and (not value or value.startswith("--")):
            raise ConfigError(f"{name}: a value is missing.")
        if name in ("backbone", "model.backbone"):
            check_name(value)


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and values, as they were typed."""
    waiting = iter(underscored(words))
    for word in waiting:
        name, equals, value = ("--config" if word == "-c" else word).partition("=")
        if name.startswith("--"):
            yield name.removeprefix("--").removesuffix("+"), value if equals else next(waiting, "")


def _is_name(value: str) -> bool:
    return bool(value) and not set(value) & set("\n{:")  # a text of settings may stand there, too


def _read(file: Path) -> Any:  # noqa: ANN401 - what the file says
    try:
        content = safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return None  # which the parser tells of
    if content is None:
        raise ConfigError(f"the configuration {file} is empty.")
    return experiment_of_today(content) if isinstance(content, dict) else content


def _take_file(experiment: _Experiment, file: Path, content: Mapping[str, Any]) -> None:
    for group in _GROUPS:
        part = content.get(group)
        if isinstance(part, str) and part.endswith((".yaml", ".yml")):
            part = _read(file.parent / part)
        experiment.take(group, part.get("class_path") if isinstance(part, dict) else part)
        if any(map(_is_foreign, _class_paths(part))):
            experiment.parts_foreign.add(group)
    if isinstance(method := content.get("method"), str):
        experiment.method = method


def _take_word(experiment: _Experiment, name: str, value: str) -> None:
    group, _, inner = name.partition(".")
    if group in _GROUPS and inner in ("", "class_path"):
        experiment.take(group, value)
    elif group in _GROUPS and _is_foreign(value):
        experiment.parts_foreign.add(group)
    elif name == "method":
        experiment.method = value
    if name in CHOICES and Path(value).is_file():
        experiment.parts_foreign.add("model")


def _is_foreign(path: str) -> bool:
    """Whether this may name a class that is none of ours."""
    return "." in path and path.partition(".")[0].isidentifier() and not path.startswith(_KNOWN)


def _class_paths(part: object) -> Iterator[str]:
    """All that are named in the settings of a class."""
    if isinstance(part, dict):
        if isinstance(part.get("class_path"), str):
            yield part["class_path"]
        part = [*part.values()]
    for inner in part if isinstance(part, list) else ():
        yield from _class_paths(inner)


def _check_option(experiment: _Experiment, name: str, value: str) -> None:
    """An option's name, part by part, up to where a value may have names of its own."""
    group, *parts = [part for part in re.split(r"[.+]", name) if part not in _OF_ANY_PART]
    _check_names("", [group], EXPERIMENT_OPTIONS)
    if group in ("ckpt", "ckpt_path") and value not in ("", "last", "null") and not Path(value).exists():
        if is_hub_id(Path(value)):
            return
        raise InputError(f"there is no checkpoint {value}.")
    if not parts:
        _check_class(experiment, group)
    known = experiment.known(group)
    for depth, part in enumerate(parts):
        _check_names(f"{'.'.join([group, *parts[:depth]])}: ", [part], known)
        known = experiment.known_within(group, known.get(part, ""))


def _check_named(experiment: _Experiment, file: Path, content: Mapping[str, Any]) -> None:
    """That there is a class for the settings of a group."""
    for group in _GROUPS:
        if isinstance(content.get(group), dict) and group not in experiment.classes:
            raise ConfigError(f"the configuration {file}: {group} names no class, as in {_EXAMPLES[group]}.")
        _check_class(experiment, group)


def _check_names(where: str, names: Iterable[object], known: Iterable[str]) -> None:
    """That all names are known; nothing is known of what is not ours."""
    known = set(known)
    unknown = next((str(name) for name in names if str(name).partition(".")[0] not in known), None) if known else None
    if unknown is not None:
        raise ConfigError(f"{where}{no_option(unknown, known, with_others=True)}")


def _check_class(experiment: _Experiment, group: str) -> None:
    name = experiment.classes.get(group)
    if name is None or group in experiment.foreign:
        return
    if name not in classes_in(GROUPS[group]) and not is_loaded(name):
        raise ConfigError(f"{group}: there is no class '{name}'{nearest(name, classes_in(_GROUPS[group]))}")


def _check_choices(experiment: _Experiment, options: Mapping[str, str]) -> None:
    """Method and scale, and what stands in files of one's own."""
    for choice in (experiment.method, options.get("scale")):
        if choice is not None and Path(choice).is_file():
            check_fragment(Path(choice))
    if "scale" in options:
        file_of("scale", options["scale"])
    if experiment.method is None or "model" in experiment.foreign:
        return
    task = experiment.classes.get("model")
    if task is not None:
        check_method(experiment.method, ancestors(task, classes_in(MODEL)))
    elif not Path(experiment.method).is_file() and experiment.method not in packaged("method"):
        raise InputError(f"there is no method '{experiment.method}'{nearest(experiment.method, packaged('method'))}")
