"""YAML that asks for no more than it is long: nested lists overflow the reader's stack, and aliases multiply."""

from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, get_loader, set_loader

from data_modules.errors import InputError

MOST_LEVELS = 100
MOST_NODES = 1_000_000


def check_bounds(text: str) -> None:
    """Look through a text before anything is made of it; what is no YAML at all is left to its reader.

    Raises:
        RecursionError: when it is nested too deeply, holds itself, or its aliases stand for too many values.
    """
    sizes: dict[str, int] = {}  # values below each anchor
    above: list[tuple[str | None, int]] = []  # anchor, and how many values there were before it
    count = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                if any(anchor == event.anchor for anchor, _ in above):
                    raise RecursionError("a value that holds itself")
                count += sizes.get(str(event.anchor), 0)
            elif isinstance(event, yaml.CollectionStartEvent):
                above.append((event.anchor, count))
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = above.pop()
                if anchor is not None:
                    sizes[anchor] = count - before
            count += isinstance(event, yaml.NodeEvent)
            if len(above) > MOST_LEVELS or count > MOST_NODES:
                raise RecursionError(f"more than {MOST_LEVELS} levels or {MOST_NODES:,} values")
    except yaml.YAMLError:
        return


def safe_load(text: str) -> Any:  # noqa: ANN401 - what the text says
    """As PyYAML's, within bounds.

    Raises:
        RecursionError: see `check_bounds`.
        YAMLError: when it is no YAML.
    """
    check_bounds(text)
    return yaml.safe_load(text)


def read_mapping(path: Path) -> dict[Any, Any]:
    """What a file says of itself, by name; nothing where it says something else.

    Raises:
        InputError: when it is no YAML.
    """
    try:
        content = safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no YAML: {' '.join(str(error).split())}.") from error
    return content if isinstance(content, dict) else {}


def bound_loader(mode: str) -> None:
    """Let jsonargparse read within bounds: all that its parsers of this mode read from now on."""
    parser = ArgumentParser(parser_mode=mode)
    parser.add_argument("--value")
    parser.parse_string("value: any")  # some loaders are only there once they were used
    loader = get_loader(mode)

    def load(value: str) -> Any:  # noqa: ANN401 - what the text says
        check_bounds(value)
        return loader(value)

    set_loader(mode, load, (yaml.YAMLError,))
