"""``prompt-video list``: what comes with the program and has a name, a line each."""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import indent

import data_modules
from data_modules.data_sets.class_lists import CLASS_LISTS
from prompt_video.backbones.names import SHORT_NAMES
from prompt_video.experiment.packaged import Kind, headline, packaged
from prompt_video.io.readable import width_of, wrapped
from prompt_video.io.verb_parser import VerbParser
from prompt_video.model.templates import template_sets

# What the names of each kind are for.
KINDS = {
    "experiments": "--config NAME of fit, test, doctor and others; make train EXP=NAME",
    "methods": "--method NAME in the place of an experiment's own; make train EXP=... METHOD=NAME",
    "backbones": "--backbone NAME of all commands, or an id of the hub, a folder, or open_clip:ARCHITECTURE:WEIGHTS",
    "data_sets": "data.class_path of an experiment",
    "class_lists": "--classes_of NAME of label and others",
    "templates": "--templates NAME of label and others, --model.frozen_templates NAME",
    "tables": "prompt-video table NAME; make table TABLE=NAME",
    "sweeps": "prompt-video sweep NAME --config EXPERIMENT; make sweep EXP=... SWEEP=NAME",
}
_FILES: Mapping[str, Kind] = {"experiments": "experiment", "methods": "method", "tables": "table", "sweeps": "sweep"}
_MANY = 3  # sentences that are told one by one


def main(arguments: list[str]) -> None:
    """Print the names."""
    kind = parser().parse(arguments[1:]).kind
    print("\n\n".join(_block(kind) for kind in ([kind] if kind else KINDS)))


def parser() -> VerbParser:
    """The options."""
    parser = VerbParser("list", __doc__)
    about = f"{', '.join(KINDS)}; these alone (default: all)"
    parser.add_argument("kind", nargs="?", choices=list(KINDS), metavar="KIND", help=about)
    return parser


def lines_of(kind: str) -> Mapping[str, str]:
    """The names of one of `KINDS`, and what each is; nothing is imported that learns or decodes."""
    if kind == "data_sets":
        return dict(sorted(_data_sets()))
    if kind == "backbones":
        return {name: f"{named.about} ({named.full})" for name, named in SHORT_NAMES.items()}
    if kind == "class_lists":
        return CLASS_LISTS
    if kind == "templates":
        return {name: _told(sentences) for name, sentences in template_sets().items()}
    return {name: headline(path) for name, path in packaged(_FILES[kind]).items()}


def _block(kind: str) -> str:
    rows = lines_of(kind)
    width = max(map(len, rows))
    head, lines = f"{kind}: {KINDS[kind]}", [f"{name:<{width}}  {row}" for name, row in rows.items()]
    if (columns := width_of(sys.stdout)) is not None:  # elsewhere a name is a line
        head, lines = wrapped(head, columns), [wrapped(line, columns - 2, " " * (width + 2)) for line in lines]
    return "\n".join([head, *(indent(line, "  ") for line in lines)])


def _data_sets() -> Iterator[tuple[str, str]]:
    """The first line of each class that the registry hands on, read from its source."""
    package = Path(data_modules.__file__).parent
    imports = (line for line in _tree(package / "registry.py").body if isinstance(line, ast.ImportFrom))
    for line in imports:
        module = str(line.module).split(".")
        if module[1] in ("data_sets", "synthetic"):
            names = {alias.name for alias in line.names}
            for node in _tree(package.joinpath(*module[1:]).with_suffix(".py")).body:
                if isinstance(node, ast.ClassDef) and node.name in names:
                    yield node.name, (ast.get_docstring(node) or "").partition("\n")[0].removesuffix(".")


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _told(sentences: tuple[str, ...]) -> str:
    first = ", ".join(f"'{sentence}'" for sentence in sentences[:_MANY])
    return first if len(sentences) <= _MANY else f"{first} and {len(sentences) - _MANY} more"
