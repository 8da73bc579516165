"""What a command imports before it does anything: seconds on a small machine, many of them for nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightning_utilities.core import imports

UNUSED = ("matplotlib", "torchvision", "transformers")  # by the metrics that this package takes from torchmetrics


class _Requirement(imports.RequirementCache):
    """What torchmetrics asks whether it is installed, and is told that it is not where nothing here uses it."""

    def __bool__(self) -> bool:
        return not (self.requirement or "").startswith(UNUSED) and super().__bool__()


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within this, torchmetrics is imported without what only metrics of images and texts, and plots, need.

    Lightning imports it with all that is installed, torch's compiler among it: half of the time until a command
    begins. Those metrics then say that a package is missing, so this is for the command line, not for whoever imports
    this package. Should torchmetrics come to ask in another way, it is imported whole, as ever.
    """
    original = imports.RequirementCache
    imports.RequirementCache = _Requirement  # type: ignore[misc]
    try:
        yield
    finally:
        imports.RequirementCache = original  # type: ignore[misc]
