"""Settings that were written beside weights, held against what they are for before anything is built of them."""

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from data_modules.errors import InputError
from data_modules.files.text_files import excerpt

MOST = 100_000  # of any whole number: layers, vectors, frames


def check_settings(kind: type, settings: object, place: str) -> dict[str, Any]:
    """The settings, where a constructor takes them.

    Args:
        kind: what they are of; its constructor says which there are, and of what types.
        settings: as JSON has them: arrays stand for tuples.
        place: where they are, for messages.

    Raises:
        InputError: when they are none, or one of them is unknown or cannot be so.
    """
    types = get_type_hints(kind.__init__)  # type: ignore[misc]  # of any class
    if not isinstance(settings, dict):
        raise InputError(f"{place} must be an object, not {excerpt(settings)}.")
    for name, value in settings.items():
        if name not in types or name in ("return", "width", "shape"):  # both are the backbone's
            raise InputError(f"{place}: {kind.__name__} has no setting {excerpt(name)}.")
        if not fits(value, types[name]):
            raise InputError(f"{place}.{name} cannot be {excerpt(value)}.")
    return settings


def fits(value: object, wanted: Any) -> bool:  # noqa: ANN401 - any annotation
    """Whether a value of JSON is of a type that a constructor names; numbers are finite and of a sane size."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in inner)
    if origin in (tuple, list, Sequence):
        return isinstance(value, list) and all(fits(item, inner[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(k, inner[0]) and fits(v, inner[1]) for k, v in value.items())
    if wanted is float:
        return isinstance(value, int | float) and type(value) is not bool and abs(value) < MOST  # NaN is not
    if wanted is int:
        return type(value) is int and 0 <= value < MOST
    return type(value) is (NoneType if wanted is None else wanted)
