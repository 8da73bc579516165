"""The names in an experiment's file, as deep as the sources of classes tell them: a wrong one is told with its line."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from prompt_video.experiment.option_names import EXPERIMENT_OPTIONS
from prompt_video.experiment.sources import (
    GROUPS,
    Source,
    arguments_of,
    arguments_of_any,
    classes_for,
    classes_in,
    trainer_arguments,
)
from prompt_video.io.bounded_yaml import check_bounds
from prompt_video.io.former_settings import GONE, RENAMED
from prompt_video.io.parser_messages import ConfigError, no_option
from prompt_video.io.suggest import nearest

OF_AN_OBJECT = ("class_path", "init_args", "dict_kwargs")
_FORMER = {*RENAMED, *GONE}  # which files may still say
_ROOTS = {"data": "VideoDataModule", "model": "VideoTextTask"}
_OURS, _LIBRARIES = ("data_modules.", "prompt_video."), ("torch.", "lightning.")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
Known = Mapping[str, str]  # names of settings, and how they are typed


@dataclass(frozen=True)
class _Place:
    """Where in which file.

    Args:
        file: that is read.
        path: of the setting, such as ``model.prompt``; empty at the top.
        folders: where classes of ours are that may be meant.
        is_ours: whether what names no class is of ours; another place may name one of the user's own.
    """

    file: Path
    path: str = ""
    folders: Sequence[str] = ()
    is_ours: bool = True

    def below(self, name: str) -> "_Place":
        """One setting deeper."""
        return replace(self, path=f"{self.path}.{name}".lstrip("."))

    def refuse(self, node: Node, reason: str) -> ConfigError:
        """A mistake at a node."""
        setting = f"{self.path}: " if self.path else ""
        line = node.start_mark.line + 1
        return ConfigError(f"the configuration {self.file}, line {line}: {setting}{reason}")


def check_file(file: Path, foreign: Iterable[str] = ()) -> None:
    """Refuse names that nothing has, in a file of settings and in those that it names.

    What the file cannot be read for, and classes that are none of ours, are left to the parser.

    Args:
        file: of an experiment.
        foreign: groups of settings for which a class of the user's own is named somewhere.

    Raises:
        ConfigError: for the first mistake.
    """
    if isinstance(root := _composed(file), MappingNode):
        _check_names(_Place(file), root, EXPERIMENT_OPTIONS)
        for name, _, value in _entries(root):
            if name in _ROOTS:
                place = _Place(file, name, GROUPS[name], is_ours=name not in foreign)
                _check_object(place, value, classes_for(_ROOTS[name], GROUPS[name]))
            elif name == "trainer":
                _check_trainer(_Place(file, name), value)
            elif name == "choose":
                _check_choices(_Place(file, name, GROUPS["model"]), value)


def check_fragment(file: Path) -> None:
    """The same of a method's or a scale's file: arguments, by class of task.

    Args:
        file: of it.

    Raises:
        ConfigError: for the first mistake.
    """
    if isinstance(root := _composed(file), MappingNode):
        place = _Place(file, "", GROUPS["model"])
        for task, _, arguments in _entries(root):
            for name, _, value in [(task, None, arguments), *_entries(arguments)]:
                known = arguments_of(name, classes_for(_ROOTS["model"], place.folders))
                _check_arguments(place.below(name), value, known)


def _composed(file: Path) -> Node | None:
    """What a file holds, with its lines; None where it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
        check_bounds(text)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError):
        return None


def _entries(node: Node) -> Iterator[tuple[str, Node, Node]]:
    """Names, where they stand, and their values."""
    for key, value in node.value if isinstance(node, MappingNode) else ():
        if isinstance(key, ScalarNode) and key.value != "<<":
            yield key.value, key, value


def _check_names(place: _Place, node: Node, known: Iterable[str]) -> None:
    names = {*known, *_FORMER}
    for name, key, _ in _entries(node):
        if name.partition(".")[0] not in names:
            raise place.refuse(key, no_option(name, known, with_others=True))


def _check_trainer(place: _Place, node: Node) -> None:
    if (other := _other_file(place, node)) is not None:
        _check_trainer(*other)
    elif isinstance(node, MappingNode):
        _check_arguments(place, node, trainer_arguments() or None)


def _check_choices(place: _Place, node: Node) -> None:
    """Lists of values, by setting of the model."""
    for name, key, _ in _entries(node):
        known = arguments_of_any(classes_for(_ROOTS["model"], place.folders))
        for part in name.split("."):
            if known and part not in known:
                raise place.refuse(key, no_option(part, known, with_others=True))
            known = arguments_of_any(classes_for(known.get(part, ""), place.folders))


def _check_object(place: _Place, node: Node, classes: Mapping[str, Source]) -> None:
    """Something that is built: its class alone, a file of it, or class and arguments; or several of these."""
    if isinstance(node, SequenceNode):
        for item in node.value:
            _check_object(place, item, classes)
    elif (other := _other_file(place, node)) is not None:
        _check_object(*other, classes)
    elif isinstance(node, ScalarNode):
        _check_class(place, node, classes)
    else:
        parts = {name: value for name, _, value in _entries(node)}
        if (path := parts.get("class_path")) is not None:
            name = _check_class(place, path, classes)
            known = arguments_of(name, classes) if name else None
            _check_whole(place, node, known or {})
        else:
            known = arguments_of_any(classes) if place.is_ours else None
            _check_arguments(place, node, known and {**known, **dict.fromkeys(OF_AN_OBJECT, "")})
        if (arguments := parts.get("init_args")) is not None:
            _check_arguments(place, arguments, known)


def _check_whole(place: _Place, node: Node, known: Known) -> None:
    """Beside the name of a class stand its arguments, all under one name."""
    for name, key, _ in _entries(node):
        if name not in OF_AN_OBJECT:
            is_argument = name in known
            reason = f"'{name}' belongs below init_args." if is_argument else no_option(name, [*OF_AN_OBJECT, *known])
            raise place.refuse(key, reason)


def _check_class(place: _Place, node: Node, classes: Mapping[str, Source]) -> str | None:
    """The bare name of a class of ours, or of a library; None where it may be another, or is none."""
    said = node.value if isinstance(node, ScalarNode) else ""
    if not classes or not _NAME.fullmatch(said) or said in ("null", "true", "false"):
        return None
    name: str = said.rpartition(".")[2]
    if "." in said and not said.startswith((*_OURS, *_LIBRARIES)):
        return None
    if name in classes:
        return name
    is_ours = ("." not in said or said.startswith(_OURS)) and classes.keys() <= classes_in(place.folders).keys()
    if is_ours and not is_loaded(name):
        raise place.refuse(node, f"there is no class '{said}'{nearest(name, classes)}")
    return None


def _check_arguments(place: _Place, node: Node, known: Known | None) -> None:
    """Settings of a class, and what they are set to."""
    if known is None or not isinstance(node, MappingNode):
        return
    _check_names(place, node, known)
    for name, _, value in _entries(node):
        kind = known.get(name, "")
        if classes := classes_for(kind, place.folders):
            _check_object(place.below(name), value, classes)


def _other_file(place: _Place, node: Node) -> tuple[_Place, Node] | None:
    """What stands in a file that is named in the place of settings."""
    if isinstance(node, ScalarNode) and node.value.endswith((".yaml", ".yml")):
        file = place.file.parent / node.value
        if (content := _composed(file)) is not None:
            return replace(place, file=file), content
    return None


def is_loaded(name: str) -> bool:
    """Whether somebody who calls the program from Python has a class of this name: the parser takes those too."""
    return any(
        isinstance(vars(module).get(name), type) for module in list(sys.modules.values()) if hasattr(module, "__dict__")
    )
