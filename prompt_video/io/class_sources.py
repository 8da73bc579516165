"""What a name of a class leads to, read from the sources of its modules: whoever imports a module runs it."""

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

MOST_STEPS = 20  # from a name to a class that is loaded


def leads_to(path: str, kinds: tuple[type, ...]) -> bool:
    """Whether a class is, by its source, of one of some kinds; nothing is imported.

    It must be written or imported in the module that is named and, base by base, lead to a class that is loaded.

    Args:
        path: ``package.module.Class``.
        kinds: classes, one of which it must be or be a subclass of.
    """
    module, _, name = path.rpartition(".")
    return any(issubclass(cls, kinds) for cls in _ancestors(module, name, MOST_STEPS))


def is_found(module: str) -> bool:
    """Whether Python finds the package or file that a module is in."""
    top = module.partition(".")[0]
    return top in sys.modules or _spec(top) is not None


def _ancestors(module: str, name: str, steps: int) -> Iterator[type]:
    """Classes that are loaded already which a name leads to: itself, or the nearest of those it is derived from."""
    if module in sys.modules:
        found = sys.modules[module]
        for part in name.split("."):
            found = getattr(found, part, None)  # type: ignore[assignment]
        if isinstance(found, type):
            yield found
        return
    source = _source(module)
    if source is None or not steps:
        return
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    package = module if source.name == "__init__.py" else module.rpartition(".")[0]
    names = dict(_bound(tree, package))
    head, _, rest = name.partition(".")
    bound = names.get(head)
    if isinstance(bound, tuple):
        origin, original = bound
        yield from _ancestors(*_split(origin, f"{original}.{rest}".strip(".")), steps - 1)
    elif bound is not None and not rest:
        for base in bound:
            yield from _ancestors(module, base, steps - 1)


def _bound(tree: ast.Module, package: str) -> Iterator[tuple[str, list[str] | tuple[str, str]]]:
    """Names in a module: classes by their bases, functions by what they return, imports as (module, name in it)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, [ast.unparse(base) for base in node.bases]
        elif isinstance(node, ast.FunctionDef):
            yield node.name, [ast.unparse(node.returns)] if node.returns else []
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((alias.asname or alias.name, (origin, alias.name)) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or whole, (whole, "")


def _split(origin: str, inner: str) -> tuple[str, str]:
    """Module and name of ``from origin import inner``, where the first parts of the name may be modules too."""
    parts = inner.split(".")
    while len(parts) > 1 and (f"{origin}.{parts[0]}" in sys.modules or _spec(f"{origin}.{parts[0]}")):
        origin, parts = f"{origin}.{parts[0]}", parts[1:]
    return origin, ".".join(parts)


def _source(module: str) -> Path | None:
    spec = _spec(module)
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _spec(module: str) -> ModuleSpec | None:
    """Where a module lies, found without importing the packages that it is in."""
    spec: ModuleSpec | None = None
    place = None
    parts = module.split(".")
    for number in range(len(parts)):
        name = ".".join(parts[: number + 1])
        spec = next((spec for finder in sys.meta_path if (spec := finder.find_spec(name, place))), None)
        if spec is None:
            return None
        place = spec.submodule_search_locations
        if place is None and number < len(parts) - 1:
            return None
    return spec
