"""Constructors that hand options on to their base class, typed to the last one.

``**options: Unpack[VideoOptions]`` tells mypy and editors every option. For jsonargparse it must be `Any` while the
program runs: of a ``TypedDict`` it knows no defaults; of `Any` it follows the call of the base class's constructor,
where the defaults and their documentation stand.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Unpack
else:

    class Unpack:
        """`typing.Unpack` to mypy; `Any` while the program runs."""

        def __class_getitem__(cls, options: type) -> object:
            return Any


__all__ = ["Unpack"]
