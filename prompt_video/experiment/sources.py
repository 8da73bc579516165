"""Classes of an experiment and the arguments of their constructors, read from their sources: nothing is imported."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

DATA = ("data_modules/data_sets", "data_modules/synthetic", "data_modules/modules")
PARTS_OF_DATA = ("data_modules/protocols", "data_modules/loading")
MODEL = ("prompt_video/tasks",)
PARTS_OF_MODEL = ("prompt_video/model", "prompt_video/localization", "prompt_video/backbones")
_PACKAGES = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    """What a class says of itself.

    Args:
        bases: names of the classes that it is derived from.
        arguments: of its constructor, or its fields, by how they are typed.
    """

    bases: tuple[str, ...]
    arguments: Mapping[str, str]


@cache
def classes_in(folders: Sequence[str]) -> Mapping[str, Source]:
    """All classes of some folders, by name.

    Args:
        folders: below the one that holds both packages.
    """
    files = (file for folder in folders for file in sorted((_PACKAGES / folder).rglob("*.py")))
    return {node.name: _source(node) for file in files for node in _classes(file)}


def arguments_in(folders: Sequence[str]) -> Mapping[str, str]:
    """What any class of some folders can be told, and how it is typed."""
    return {name: kind for source in classes_in(folders).values() for name, kind in source.arguments.items()}


@cache
def trainer_arguments() -> Mapping[str, str]:
    """What Lightning's trainer can be told; empty where its source is not where it was."""
    spec = find_spec("lightning")
    for place in (spec and spec.submodule_search_locations) or ():
        file = Path(place, "pytorch", "trainer", "trainer.py")
        if file.is_file():
            return next((_source(node).arguments for node in _classes(file) if node.name == "Trainer"), {})
    return {}


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


def _classes(file: Path) -> Iterator[ast.ClassDef]:
    return (node for node in ast.parse(file.read_bytes()).body if isinstance(node, ast.ClassDef))


def _source(node: ast.ClassDef) -> Source:
    fields = [line for line in node.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)]
    typed = {ast.unparse(line.target): ast.unparse(line.annotation) for line in fields}
    for line in node.body:
        if isinstance(line, ast.FunctionDef) and line.name == "__init__":
            own = [*line.args.args[1:], *line.args.kwonlyargs]
            typed |= {one.arg: ast.unparse(one.annotation) if one.annotation else "" for one in own}
    return Source(tuple(ast.unparse(base).rpartition(".")[2] for base in node.bases), typed)
