"""Classes of an experiment and the arguments of their constructors, read from their sources: nothing is imported."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

DATA = ("data_modules/data_sets", "data_modules/synthetic", "data_modules/modules")
PARTS_OF_DATA = ("data_modules/protocols", "data_modules/loading")
MODEL = ("prompt_video/tasks",)
PARTS_OF_MODEL = ("prompt_video/model", "prompt_video/localization", "prompt_video/backbones")
GROUPS = {"data": (*PARTS_OF_DATA, *DATA), "model": (*PARTS_OF_MODEL, *MODEL), "trainer": ()}
FREE = re.compile(r"dict\[|Mapping\[|\bAny\b")  # types of values that have names of their own
_PACKAGES = Path(__file__).parents[2]
# Types of libraries' classes that settings take, and where those are that may be named.
_OF_LIBRARIES = {
    "OptimizerCallable": ("torch", "optim", "Optimizer"),
    "Callback": ("lightning", "pytorch/callbacks", "Callback"),
    "Logger": ("lightning", "pytorch/loggers", "Logger"),
}


@dataclass(frozen=True)
class Source:
    """What a class says of itself.

    Args:
        bases: names of the classes that it is derived from.
        arguments: of its constructor, or its fields, by how they are typed.
        others: how further arguments are typed that its constructor takes; None where it takes none.
        builds: whether it has a constructor of its own.
    """

    bases: tuple[str, ...]
    arguments: Mapping[str, str]
    others: str | None = None
    builds: bool = False


@cache
def classes_in(folders: Sequence[str]) -> Mapping[str, Source]:
    """All classes of some folders, by name.

    Args:
        folders: below the one that holds both packages.
    """
    return _read(file for folder in folders for file in sorted((_PACKAGES / folder).rglob("*.py")))


def arguments_in(folders: Sequence[str]) -> Mapping[str, str]:
    """What any class of some folders can be told, and how it is typed."""
    return {name: kind for source in classes_in(folders).values() for name, kind in source.arguments.items()}


@cache
def classes_for(kind: str, folders: Sequence[str]) -> Mapping[str, Source]:
    """Classes that may be named where a setting is typed so.

    Args:
        kind: as it stands in the source; none for one that is no class, or may be anything.
        folders: where classes of ours are that may be meant.
    """
    for name in [] if FREE.search(kind) else re.findall(r"\w+", re.sub(r"Callable\[\[.*?\],", "", kind)):
        known = classes_in(folders)
        if name in _OF_LIBRARIES:
            package, folder, name = _OF_LIBRARIES[name]
            known = _library(package, folder)
        if name in known:
            return {one: source for one, source in known.items() if name in ancestors(one, known)}
    return {}


def arguments_of(name: str, classes: Mapping[str, Source]) -> Mapping[str, str] | None:
    """What a class can be told, and how it is typed; None where its source does not say.

    Args:
        name: of the class.
        classes: among which it is, and what it is derived from, if that is none of ours.
    """
    if (source := classes.get(name) or classes_in((*GROUPS["data"], *GROUPS["model"])).get(name)) is None:
        return None
    if source.others is None and source.builds:
        return source.arguments
    # Some of what its bases take may be settled by its constructor: that is left to the parser.
    beyond: dict[str, str] = {}
    for base in (*re.findall(r"Unpack\[(\w+)\]", source.others or ""), *source.bases):
        inherited = arguments_of(base, classes)
        if inherited is None and source.others is not None and "Unpack" not in source.others:
            return None
        beyond |= inherited or {}
    return {**beyond, **source.arguments}


def arguments_of_any(classes: Mapping[str, Source]) -> Mapping[str, str]:
    """What any of some classes can be told, and how it is typed."""
    return {name: kind for one in classes for name, kind in (arguments_of(one, classes) or {}).items()}


@cache
def trainer_arguments() -> Mapping[str, str]:
    """What Lightning's trainer can be told; empty where its source is not where it was."""
    trainer = _library("lightning", "pytorch/trainer").get("Trainer")
    return trainer.arguments if trainer else {}


def ancestors(name: str, classes: Mapping[str, Source]) -> list[str]:
    """Names of a class and of those that it is derived from, the class itself last."""
    known: dict[str, None] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop(0)
        known.pop(one, None)
        known[one] = None
        waiting += classes[one].bases if one in classes else ()
    return [*known][::-1]


@cache
def _library(package: str, folder: str) -> Mapping[str, Source]:
    """Classes of a library; empty where its sources are not where they were."""
    spec = find_spec(package)
    places = (spec and spec.submodule_search_locations) or ()
    return _read(file for place in places for file in sorted(Path(place, folder).glob("*.py")))


def _read(files: Iterable[Path]) -> Mapping[str, Source]:
    return {node.name: _source(node) for file in files for node in _classes(file)}


def _classes(file: Path) -> Iterator[ast.ClassDef]:
    return (node for node in ast.parse(file.read_bytes()).body if isinstance(node, ast.ClassDef))


def _source(node: ast.ClassDef) -> Source:
    bases = tuple(name for base in node.bases if (name := ast.unparse(base).rpartition(".")[2]) != node.name)
    init = next((line for line in node.body if isinstance(line, ast.FunctionDef) and line.name == "__init__"), None)
    if init is not None:
        typed = {one.arg: _kind(one) for one in (*init.args.args[1:], *init.args.kwonlyargs)}
        return Source(bases, typed, None if init.args.kwarg is None else _kind(init.args.kwarg), builds=True)
    is_typed_dict = "TypedDict" in bases or any(keyword.arg == "total" for keyword in node.keywords)
    has_fields = bool(node.decorator_list) or is_typed_dict or "NamedTuple" in bases  # or it is a dataclass
    lines = [line for line in node.body if isinstance(line, ast.AnnAssign)] if has_fields else []
    return Source(bases, {ast.unparse(line.target): ast.unparse(line.annotation) for line in lines})


def _kind(argument: ast.arg) -> str:
    return ast.unparse(argument.annotation) if argument.annotation else ""
